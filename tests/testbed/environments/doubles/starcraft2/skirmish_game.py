"""A stand-in for StarCraft II as pysc2 sees it: the game's own protocol over a websocket, played by skirmish.

pysc2 starts it as `$SC2PATH/Versions/Base75689/SC2_x64 -listen HOST -port N ...`. It needs the protocol's
messages (s2clientprotocol, with protobuf below 3.21), from the folder of `STARCRAFT2_DOUBLE_SITE`.
`STARCRAFT2_DOUBLE_LOG` names a file that gets a line for every event; `STARCRAFT2_DOUBLE` is a JSON object:

* `jitter`: how far units start from their places; `bits`: 8 for the pathing grid of old versions of the game;
* `dies_at_start`; `slow_start`: seconds; `stubborn`: it does not end by `quit` or SIGTERM;
* `refuse`: the game refuses every map; `ends_at`: the game loop at which it ends;
* `in_parts`: only half of the units are there at first;
* `fault`: `crash`, `hang` or `error`, `in` a request (`step`, `observation`, `debug`), from loop `at` and
  battle `battle` on; `once`: a file, by which it happens to the first client only.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, os.environ["STARCRAFT2_DOUBLE_SITE"])  # before the testbed's own, newer protobuf

import numpy as np
import websocket_server
from s2clientprotocol import sc2api_pb2 as sc_pb

from testbed.environments.skirmish.battle import Battle
from testbed.environments.skirmish.maps import load_map
from testbed.environments.skirmish.units import Roster

OPTIONS: dict[str, Any] = json.loads(os.environ.get("STARCRAFT2_DOUBLE") or "{}")
VERSION = "4.10.0", 75689
ENEMY_TYPES = {"marine": 48, "marauder": 51, "medivac": 54, "zealot": 73, "stalker": 74}
AGENT_TYPES = 1936  # SMAC's maps have unit types of their own for the agents, numbered one after another
STOP, MOVE, HEAL = 4, 16, 386


def log(*words: object) -> None:
    if "STARCRAFT2_DOUBLE_LOG" in os.environ:
        with Path(os.environ["STARCRAFT2_DOUBLE_LOG"]).open("a") as file:
            file.write(f"{os.getpid()} {' '.join(map(str, words))}\n")


class World:
    """One skirmish behind SMAC's map: when nobody is left, its trigger puts everybody up again."""

    def __init__(self, name: str, seed: int | None) -> None:
        self.map = load_map(name)
        self.roster = Roster(self.map)
        self.battle = Battle(self.roster, 1)
        self.rng = np.random.default_rng(seed)
        self.loop, self.battles, self.first_tag = 0, 0, 0x100000000
        self.spawn()

    def spawn(self) -> None:
        units, jitter = self.roster.units, OPTIONS.get("jitter", 0.1)
        places = self.roster.start[..., None].astype(np.float64)
        if jitter:
            places = places + self.rng.uniform(-jitter, jitter, size=places.shape)
        self.battle.begin(np.array([0]), places)
        self.orders = np.ones((self.roster.allies, 1), dtype=np.int64)
        self.battles += 1
        self.first_tag += units
        self.shown = units // 2 if OPTIONS.get("in_parts") else units
        log("battle", self.battles, "loop", self.loop)

    def command(self, command: Any) -> None:
        """Keep the order of a unit as skirmish's action."""
        for tag in command.unit_tags:
            unit = tag - self.first_tag
            if not (0 <= unit < self.roster.allies and self.battle.alive[unit, 0]):
                continue
            if command.ability_id == STOP:
                action = 1
            elif command.ability_id == MOVE:
                east = command.target_world_space_pos.x - float(self.battle.x[unit, 0])
                north = command.target_world_space_pos.y - float(self.battle.y[unit, 0])
                action = (4 if east > 0 else 5) if abs(east) > abs(north) else (2 if north > 0 else 3)
            else:
                target = command.target_unit_tag - self.first_tag
                action = 6 + target - (0 if command.ability_id == HEAL else self.roster.allies)
            self.orders[unit, 0] = action

    def step(self, count: int) -> None:
        living = self.battle.alive[: self.roster.units]
        self.battle.command(np.where(living[: self.roster.allies], self.orders, 0))
        for _ in range(count):
            self.loop += 1
            self.shown = self.roster.units
            if self.battle.alive[: self.roster.units].any():
                self.battle.tick()
            else:
                self.spawn()

    def kill(self, tags: Any) -> None:
        for tag in tags:
            if 0 <= tag - self.first_tag < self.roster.units:
                self.battle.hp[tag - self.first_tag] = 0
        self.battle.refresh()

    def observe(self, observation: Any) -> None:
        observation.game_loop = self.loop
        raw, roster, battle = observation.raw_data, self.roster, self.battle
        raw.player.camera.x = raw.player.camera.y = 16
        order = self.map.ally_codes or self.map.agent_order
        for unit in np.flatnonzero(battle.alive[: min(roster.units, self.shown), 0]).tolist():
            name, mine = roster.names[unit], unit < roster.allies
            seen = raw.units.add(
                tag=self.first_tag + unit,
                owner=1 if mine else 2,
                alliance=1 if mine else 4,
                display_type=1,
                unit_type=AGENT_TYPES + order.index(name) if mine else ENEMY_TYPES[name],
                health=battle.hp[unit, 0],
                health_max=roster.hp[unit],
                shield=battle.shield[unit, 0],
                shield_max=roster.shield[unit],
                radius=roster.radius[unit],
                build_progress=1,
                is_flying=bool(roster.air[unit]),
                weapon_cooldown=battle.cooldown[unit, 0],
            )
            if roster.healer[unit]:
                seen.energy, seen.energy_max = battle.energy[unit, 0], 200
            seen.pos.x, seen.pos.y, seen.pos.z = battle.x[unit, 0], battle.y[unit, 0], 10

    def describe(self, info: Any) -> None:
        width, height, (low, high) = self.map.width, self.map.height, self.map.corridor
        info.map_name = "SMAC"
        raw = info.start_raw
        raw.map_size.x, raw.map_size.y = width, height
        raw.playable_area.p0.x = raw.playable_area.p0.y = 0
        raw.playable_area.p1.x, raw.playable_area.p1.y = width, height
        walkable = np.zeros((height, width), dtype=np.uint8)  # rows are y
        walkable[low:high] = 1
        old = OPTIONS.get("bits", 1) == 8  # of the game: 0 is walkable, and rows run from the top
        raw.pathing_grid.bits_per_pixel = 8 if old else 1
        raw.pathing_grid.size.x, raw.pathing_grid.size.y = width, height
        grid = (1 - walkable[::-1]) * 255 if old else np.packbits(walkable)
        raw.pathing_grid.data = grid.astype(np.uint8).tobytes()
        raw.terrain_height.bits_per_pixel = 8
        raw.terrain_height.size.x, raw.terrain_height.size.y = width, height
        raw.terrain_height.data = bytes([127]) * (width * height)


class Game:
    """Answers requests, in the protocol's states as far as SMAC walks through them."""

    def __init__(self) -> None:
        self.status = sc_pb.launched
        self.world: Any = None

    def answer(self, request: Any) -> Any:
        response, kind = sc_pb.Response(id=request.id), request.WhichOneof("request")
        try:
            getattr(self, f"_{kind}")(getattr(request, kind), getattr(response, kind))
            getattr(response, kind).SetInParent()
        except RequestFailed as error:
            response.error.append(f"{kind}: {error}")
        response.status = self.status
        return response

    def _ping(self, _: Any, response: Any) -> None:
        response.game_version, response.base_build = VERSION
        response.data_build = VERSION[1]

    def _create_game(self, request: Any, response: Any) -> None:
        seed = request.random_seed if request.HasField("random_seed") else None
        log(
            "create",
            request.local_map.map_path,
            "seed",
            seed,
            "difficulty",
            request.player_setup[1].difficulty,
        )
        if OPTIONS.get("refuse"):
            response.error = sc_pb.ResponseCreateGame.InvalidMapPath
            response.error_details = "no such map"
            return
        self.world = World(Path(request.local_map.map_path).stem, seed)
        self.status = sc_pb.init_game

    def _join_game(self, _: Any, response: Any) -> None:
        response.player_id = 1
        self.status = sc_pb.in_game

    def _game_info(self, _: Any, response: Any) -> None:
        self.world.describe(response)

    def _observation(self, _: Any, response: Any) -> None:
        self._trouble("observation")
        self.world.observe(response.observation)
        if self.status == sc_pb.ended:
            response.player_result.add(player_id=1, result=sc_pb.Tie)

    def _action(self, request: Any, response: Any) -> None:
        for action in request.actions:
            self.world.command(action.action_raw.unit_command)
            response.result.append(1)

    def _step(self, request: Any, response: Any) -> None:
        self._trouble("step")
        self.world.step(request.count)
        response.simulation_loop = self.world.loop
        if self.world.loop >= OPTIONS.get("ends_at", 1 << 19):
            self.status = sc_pb.ended
            log("ended at loop", self.world.loop)

    def _debug(self, request: Any, _: Any) -> None:
        self._trouble("debug")
        for command in request.debug:
            self.world.kill(command.kill_unit.tag)

    def _save_replay(self, _: Any, response: Any) -> None:
        response.data = b"MPQ stand-in, %d battles" % self.world.battles

    def _trouble(self, where: str) -> None:
        world, fault = self.world, OPTIONS.get("fault")
        if fault is None or OPTIONS.get("in", "step") != where:
            return
        if world.loop < OPTIONS.get("at", 0) or world.battles < OPTIONS.get("battle", 0):
            return
        if once := OPTIONS.get("once"):
            try:
                Path(once).touch(exist_ok=False)
            except FileExistsError:
                return
        log(fault, "in", where, "loop", world.loop)
        if fault == "crash":
            print("SC2_x64: Segmentation fault (stand-in)", file=sys.stderr, flush=True)
            os._exit(139)
        if fault == "hang":
            time.sleep(1e6)
        raise RequestFailed("made-up trouble")


class RequestFailed(Exception):
    """A request that the game answers with an error."""


def main() -> None:
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    log("launch port", given["-port"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN if OPTIONS.get("stubborn") else signal.SIG_DFL)
    time.sleep(OPTIONS.get("slow_start", 0))
    if OPTIONS.get("dies_at_start"):
        log("dies at start")
        sys.exit("SC2_x64: error while loading shared libraries (stand-in)")
    server = socket.create_server((given["-listen"], int(given["-port"])))
    game = Game()
    while True:  # like the game, it goes on when a client leaves without a word
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            websocket_server.handshake(connection)
            while True:
                request = sc_pb.Request.FromString(websocket_server.receive(connection))
                if request.HasField("quit"):
                    log("quit")
                    if not OPTIONS.get("stubborn"):
                        return
                    continue
                websocket_server.send(connection, game.answer(request).SerializeToString())
        except (EOFError, ConnectionError):
            log("client gone")


if __name__ == "__main__":
    main()
