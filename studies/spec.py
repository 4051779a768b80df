"""From what a study file says to a list of trials, each of them checked before anything runs."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import networkx as nx
from pydantic import BeforeValidator, Field, NonNegativeInt, ValidationError

import topologies
from policies.batch import Batch
from studies import grid
from studies.document import Document, Keys, Problem, StudyError
from studies.explain import complaint, nearest, problem, problems, setting_paths
from studies.outline import titled
from studies.topology import OWN_KEYS, TopologySettings
from testbed import sources, workloads
from testbed.environments.external.pettingzoo_worlds import PettingZooSettings
from testbed.environments.external.starcraft import StarCraftSettings
from testbed.environments.skirmish.maps import names_a_file
from testbed.identity import FORMAT, content_of, digest, essence, with_contents
from testbed.settings import SettingError, Settings
from testbed.training import LoopSettings
from testbed.workloads import fault_reach

_Checked = typing.TypeVar("_Checked")

FILES: tuple[Keys, ...] = (
    ("topology", "file"),
    ("update", "batch"),
    ("network", "link", "round_trips"),
    ("network", "links", "*", "round_trips"),
    ("network", "classes", "*", "round_trips"),
    ("environment", "map"),
)
"""Where a study names files (`*`: under any key). They are relative to the study file, and are hashed by
content."""

NAME_OR_FILE: tuple[Keys, ...] = (("environment", "map"),)
"""Those where what does not look like a path is the name of something built in."""


def _workload_models() -> dict[str, type[Settings]]:
    union = typing.get_args(workloads.Workload)[0]
    return {typing.get_args(m.model_fields["workload"].annotation)[0]: m for m in typing.get_args(union)}


WORKLOADS = _workload_models()


MOST_TRIALS = 100_000
"""Of one study."""

MOST_SEEDS = 10_000
"""That a number of seeds may stand for: more of them are a slip of the keyboard."""


def _counted(value: Any) -> Any:
    """``seeds: 3`` is short for ``seeds: [0, 1, 2]``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_SEEDS:
            raise ValueError(f"must be a list of seeds, or how many there are: from 1 to {MOST_SEEDS:,}")
        return tuple(range(value))
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a list of seeds, such as [0, 1, 2], or how many there are")
    if len(set(map(str, value))) < len(value):
        raise ValueError("has the same seed twice")
    return value


class Header(Settings):
    """The keys that belong to the study rather than to each of its trials."""

    question: str = ""
    """What the study asks, in one sentence; shown on its figures."""
    seeds: typing.Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_counted)] = (0,)
    """How many, or which: each combination of `vary` runs once per seed."""
    vary: dict[str, Any] = Field(default_factory=dict)
    """Dotted path -> the values it takes; or a name -> label -> settings that go together."""
    quick: dict[str, Any] = Field(default_factory=dict)
    """Dotted path -> value, put on top of everything by `--quick`."""


DEFAULT_TOPOLOGY = "ring"

HEADER_KEYS = tuple(Header.model_fields)
TOP_KEYS = {*HEADER_KEYS, "topology", *(key for model in WORKLOADS.values() for key in model.model_fields)}


@dataclass(frozen=True)
class TrialSpec:
    """One trial: a pure function of this.

    Attributes:
        settings: the workload, all defaults filled in.
        topology: the graph the agents talk over.
        seed: of every random stream.
        varied: key of ``vary`` -> this trial's value, as the study's tables and figures show it.
        contents: the path of each file that it names -> what was in it, see :mod:`testbed.identity`.
        apart: whether an earlier trial of its study means the same in other words, such as another law of a
            jitter of 0; then its name says what is varied, too.
    """

    settings: workloads.Workload
    topology: TopologySettings
    seed: int
    varied: Mapping[str, str | int | float | bool]
    contents: Mapping[str, Mapping[str, str]]
    apart: bool = False

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """Plain data that says everything about the trial."""
        topology = self.topology.model_dump(mode="json")
        topology["nodes"] = self.settings.agents
        if self.topology.seed is None:
            topology["seed"] = self.seed
        if self.topology.name is not None:
            defaults = topologies.FAMILIES[self.topology.name].parameters
            topology["parameters"] = {**defaults, **self.topology.parameters}
        return {"seed": self.seed, "topology": topology, **self.settings.model_dump(mode="json")}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Plain data that the trial's name is made of: what differs from defaults, files by their content."""
        settings = essence(self.settings)
        network = self.settings.network.meaning(attributes=self.topology.file is not None)
        content = {
            "format": FORMAT,
            "seed": self.seed,
            "topology": self.topology.meaning(self.settings.agents, self.seed),
            "settings": {key: value for key, value in settings.items() if key != "network"},
            "network": network,
            **({"varied": dict(self.varied)} if self.apart else {}),
        }
        return dict(with_contents(content, self.contents))

    @cached_property
    def hash(self) -> str:
        """The trial's name: see :mod:`testbed.identity`."""
        return digest(self.identity)

    @property
    def title(self) -> str:
        """What tells this trial from the others of its study."""
        return titled(self.varied, self.seed)

    def graph(self) -> nx.Graph[int]:
        """The trial's graph; see :meth:`TopologySettings.graph`."""
        return self.topology.graph(self.settings.agents, self.seed)


@dataclass(frozen=True)
class Study:
    """A study whose trials have all been checked.

    Attributes:
        name: the file's, without its ending.
        question: one sentence, or nothing.
        workload: ``problem``, ``update`` or ``training``.
        varied: keys of the grid, dotted paths or names of cases, in the order in which they are written.
        trials: every combination and every seed, seeds varying fastest.
        worlds: those of ``varied`` that change the environment.
        compared: the one of ``varied`` whose values are compared with the first of them.
        document: what the study file says, with the quick form and the command line's settings on top.
    """

    name: str
    question: str
    workload: str
    varied: tuple[str, ...]
    trials: tuple[TrialSpec, ...]
    worlds: tuple[str, ...] = ()
    compared: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)


def resolve(document: Document, name: str) -> Study:
    """Expands and checks a study that has been read.

    Raises:
        StudyError: anything is wrong; a line for each thing that is.
    """
    data = document.data
    workload = data.get("workload")
    if not isinstance(workload, str) or workload not in WORKLOADS:
        allowed = f"must be one of {', '.join(WORKLOADS)}"
        if "workload" not in data:
            raise complaint(document, ("workload",), f"missing; {allowed}")
        raise complaint(document, ("workload",), allowed + nearest(workload, WORKLOADS), value=workload)
    found = _Found()
    header = found.attempt(partial(_header, document))
    if header is None:
        if "vary" in data:  # what the settings are without it, nobody wants to know
            raise StudyError.of(found.problems)
        header = Header()
    levels = grid.read(document, TOP_KEYS, HEADER_KEYS)
    _check_number(document, levels, len(header.seeds))
    seen: dict[str, TrialSpec] = {}
    for trial in _trials(document, header, levels, workload, found):
        earlier = seen.get(trial.hash)
        if earlier is not None and earlier.resolved == trial.resolved:
            reason = f"two trials are the same: {earlier.title} and {trial.title}"
            raise complaint(document, ("vary",), reason)
        one = trial if earlier is None else replace(trial, apart=True)
        seen[one.hash] = one
    if found.problems:
        raise StudyError.of(found.problems)
    trials = tuple(seen.values())
    worlds, compared = grid.worlds(levels), grid.compared(levels)
    return Study(name, header.question, workload, tuple(levels), trials, worlds, compared, data)


def _check_number(document: Document, levels: Mapping[str, Sequence[grid.Level]], seeds: int) -> None:
    """The trials are counted before any is made: a few short lists can ask for billions."""
    numbers = [*(len(values) for values in levels.values()), seeds]
    if (total := math.prod(numbers)) > MOST_TRIALS:
        product = " x ".join(f"{number:,}" for number in numbers)
        reason = f"{product} (with the seeds) are {total:,} trials; at most {MOST_TRIALS:,}"
        raise complaint(document, ("vary",) if levels else ("seeds",), reason)


class _Found:
    """Gathers what is wrong, so that all of it can be told at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.failures = 0

    def attempt(self, check: Callable[[], _Checked], apart_from: Sequence[Keys] = ()) -> _Checked | None:
        """What a check gives; None if it found problems, which are kept.

        Args:
            check: raises StudyError with what is wrong.
            apart_from: values that are known to be wrong: what encloses them needs no complaint.

        Raises:
            StudyError: it failed for reasons that are not about a single value of the study.
        """
        try:
            return check()
        except StudyError as error:
            if not error.problems:
                raise
            for each in error.problems:
                known = any(keys[: len(each.keys)] == each.keys for keys in apart_from)
                if not known and each not in self.problems:
                    self.problems.append(each)
            self.failures += 1
            return None


ENOUGH = 50
"""Conditions with mistakes after which the rest of a grid is not looked at."""


def _header(document: Document) -> Header:
    data = document.data
    try:
        return Header.model_validate({key: data[key] for key in HEADER_KEYS if key in data})
    except ValidationError as error:
        raise StudyError.of(problems(error, Header, document)) from error


def _trials(
    document: Document,
    header: Header,
    levels: Mapping[str, Sequence[grid.Level]],
    workload: str,
    found: _Found,
) -> Iterator[TrialSpec]:
    """The trials that are right; what is wrong with the others is in ``found``."""
    checked: set[tuple[object, ...]] = set()
    idle = _IdleFaults()
    filling = grid.Filling(document, levels, HEADER_KEYS)
    contents: dict[str, dict[str, str]] = {}  # each file is read once, for all trials
    for cell in grid.cells(levels):
        if found.failures >= ENOUGH:
            return
        filled = filling.fill(cell)
        known = len(found.problems)
        files = found.attempt(partial(read_files, filled, contents))
        gone = [each.keys for each in found.problems[known:]]
        settings = found.attempt(partial(_settings, filled, workload), apart_from=gone)
        topology = found.attempt(partial(_topology, filled))
        if files is None or settings is None or topology is None:
            continue
        if not found.attempt(partial(_check_samples, filled, settings)):
            continue
        if not found.attempt(partial(_check_batch, filled, settings, checked)):
            continue
        varied = {name: level.label for name, level in cell.items()}
        said = [part.model_dump_json() for part in (topology, settings.network)]
        for seed in header.seeds:
            # Time can only run out, or not, where the number of activations does not.
            timed = settings.consensus if settings.consensus.budget.activations is None else None
            key = (*said, getattr(settings, "algorithm", None), settings.agents, seed, timed)
            if key not in checked:
                if not found.attempt(partial(_check_graph, filled, settings, topology, seed)):
                    break
                checked.add(key)
            trial = TrialSpec(settings, topology, seed, varied, files)
            idle.look(trial, filled)
            yield trial
    if not found.problems:
        found.problems += idle.problems()


class _IdleFaults:
    """Faults that begin in none of the trials that have them.

    One that begins in some of them is no mistake: a grid may compare algorithms that send messages with
    others that send none.
    """

    def __init__(self) -> None:
        self._never: dict[tuple[str, str], Problem] = {}
        """By where a fault is written and what it says."""
        self._begins: set[tuple[str, str]] = set()

    def look(self, trial: TrialSpec, document: Document) -> None:
        """Takes account of a trial whose study says what is in the document."""
        faults = trial.settings.network.faults
        never = (
            {each.fault: each for each in fault_reach.never(trial.settings, trial.graph)} if faults else {}
        )
        for number, fault in enumerate(faults):
            keys: Keys = ("network", "faults", number)
            name = document.place(keys), fault.model_dump_json()
            if number not in never:
                self._begins.add(name)
            elif name not in self._never:
                found = never[number]
                allowed = f"; allowed: {', '.join(found.allowed)}" if found.allowed else ""
                reason = f"{found.reason}{allowed}{nearest(found.value, found.allowed)}"
                self._never[name] = problem(document, (*keys, *found.keys), reason, value=found.value)

    def problems(self) -> list[Problem]:
        """One for each of them."""
        return [each for name, each in self._never.items() if name not in self._begins]


def read_files(
    document: Document, known: MutableMapping[str, dict[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    """Finds the files a study names, and puts their absolute paths into the document.

    Args:
        document: a study, or the settings of one trial.
        known: what has been read before, by path, which is not read again; what is new is put there.

    Returns:
        Each path with what stands for the file's content in names.

    Raises:
        StudyError: there is no such file, or it cannot be read.
    """
    known = {} if known is None else known
    found = {}
    for pattern in FILES:
        for keys, outer in _mappings(document.data, pattern[:-1]):
            last = str(pattern[-1])
            value = outer.get(last)
            if isinstance(value, str) and (pattern not in NAME_OR_FILE or names_a_file(value)):
                path = (document.folder / value).absolute()
                if not path.is_file():
                    reason = f"there is no such file in {path.parent}"
                    raise complaint(document, (*keys, last), reason, value=value)
                outer[last] = str(path)
                if str(path) not in known:
                    try:
                        known[str(path)] = content_of(path)
                    except OSError as error:
                        reason = f"cannot be read: {error.strerror}"
                        raise complaint(document, (*keys, last), reason, value=value) from error
                found[str(path)] = known[str(path)]
    return found


def _mappings(data: object, pattern: Keys, keys: Keys = ()) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """The mappings that keys lead to, with those keys; a `*` stands for every key."""
    if not isinstance(data, dict):
        return
    if not pattern:
        yield keys, data
        return
    for key in list(data) if pattern[0] == "*" else [pattern[0]]:
        yield from _mappings(data.get(key), pattern[1:], (*keys, key))


def _settings(document: Document, workload: str) -> workloads.Workload:
    model = WORKLOADS[workload]
    own = {key: value for key, value in document.data.items() if key not in (*HEADER_KEYS, "topology")}
    try:
        return typing.cast(workloads.Workload, model.model_validate(own))
    except ValidationError as error:
        also = (*HEADER_KEYS, "topology")
        paths = (*also, "topology.nodes", *setting_paths(model))
        raise StudyError.of(problems(error, model, document, also, paths)) from error


def _check_samples(document: Document, settings: workloads.Workload) -> bool:
    """True: the samples of a batch are whole rounds of the episodes side by side. Raises StudyError."""
    if isinstance(settings, workloads.ProblemWorkload):
        return True
    if isinstance(settings, workloads.TrainingWorkload):
        loop = settings.training
    else:
        loop = LoopSettings(samples=settings.update.samples)
    try:
        loop.shape(settings.environment.episode_length)
    except ValueError as error:
        raise complaint(document, (settings.workload, "samples"), str(error)) from error
    return True


def _check_batch(document: Document, settings: workloads.Workload, checked: set[tuple[object, ...]]) -> bool:
    """A stored batch must be whole and, as far as can be told without other people's code, of this world."""
    if not isinstance(settings, workloads.UpdateWorkload) or settings.update.batch is None:
        return True
    path, environment = settings.update.batch, settings.environment
    if (path, environment) in checked:
        return True
    try:
        batch = Batch.load(path)
        if not isinstance(environment, PettingZooSettings | StarCraftSettings):
            with environment.make(1) as world:
                sources.check_batch(batch, path, world)
    except ValueError as error:
        reason = str(error).removeprefix("update.batch: ").removeprefix("batch: ")
        raise complaint(document, ("update", "batch"), reason) from error
    checked.add((path, environment))
    return True


def _topology(document: Document) -> TopologySettings:
    data = document.data.get("topology", DEFAULT_TOPOLOGY)
    if isinstance(data, dict):
        _check_parameters(document, data)
    elif isinstance(data, str) and data not in topologies.FAMILIES:
        raise _no_family(document, ("topology",), data)
    try:
        return _Holder.model_validate({"topology": data}).topology
    except ValidationError as error:
        raise StudyError.of(problems(error, _Holder, document)) from error


class _Holder(Settings):
    topology: TopologySettings


def _check_parameters(document: Document, data: Mapping[str, Any]) -> None:
    name = data.get("name")
    if isinstance(name, str) and name not in topologies.FAMILIES:
        raise _no_family(document, ("topology", "name"), name)
    family = topologies.FAMILIES.get(str(name))
    allowed = [*OWN_KEYS, *(family.parameters if family else ())]
    unknown = []
    for key in data:
        if key not in allowed and (family or "name" not in data):
            reason = f"unknown key{nearest(key, allowed)} (allowed: {', '.join(sorted(allowed))})"
            unknown.append(problem(document, ("topology", key), reason))
    if unknown:
        raise StudyError.of(unknown)


def _no_family(document: Document, keys: Keys, name: str) -> StudyError:
    families = topologies.FAMILIES
    return complaint(
        document, keys, f"must be one of {', '.join(families)}{nearest(name, families)}", value=name
    )


def _check_graph(
    document: Document, settings: workloads.Workload, topology: TopologySettings, seed: int
) -> bool:
    """True: the graph can be built and has the links that the network's settings name. Raises StudyError."""
    try:
        graph = topology.graph(settings.agents, seed)
    except ValueError as error:
        field, _, rest = str(error).partition(": ")
        named = field in OWN_KEYS or field in topology.parameters
        keys: Keys = ("topology", field) if named else ("topology",)
        if "topology" not in document.data:  # then it is the number of agents that fits no ring
            keys = ("problem", "agents")
            if not isinstance(settings, workloads.ProblemWorkload):
                has_field = "agents" in type(settings.environment).model_fields
                keys = ("environment", "agents") if has_field else ("environment",)
        raise complaint(document, keys, rest if named else str(error)) from error
    network = settings.network
    try:
        network.check(graph)
    except SettingError as error:
        if not error.keys:  # then it is about attributes that the graph's file gives to links
            raise complaint(document, ("topology",), str(error)) from error
        raise complaint(document, ("network", *error.keys), str(error).partition(": ")[2]) from error
    try:
        settings.check(graph)
    except SettingError as error:
        raise complaint(document, error.keys, str(error)) from error
    except ValueError as error:
        raise complaint(document, ("topology",), str(error)) from error
    return True
