"""The commands that inspect something: ``trace``, ``play``, ``batch``, ``schema`` and ``topologies``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from studies.cli import next_steps
from studies.cli.options import (
    Force,
    Overrides,
    Quick,
    StudyName,
    Trial,
    app,
    chosen_trial,
    err,
    out,
    prepare,
    refuse_to_replace,
    time_of,
)
from studies.spec.document import StudyError


@app.command()
def trace(
    study: StudyName,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the files; default runs/<study>/traces/<hash>.")
    ] = None,
    overrides: Overrides = None,
    quick: Quick = False,
    trial: Trial = 1,
    update: Annotated[
        int | None,
        typer.Option(
            "--update",
            min=1,
            help="Trace this policy update of a training trial only, counted from 1; default: all of them.",
        ),
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Start of the diagram, e.g. 1.5s.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="TIME", help="End of the diagram; default: as far as it stays readable."
        ),
    ] = None,
    vertical: Annotated[bool, typer.Option("--vertical", help="Time runs downward.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Run it a second time and compare the traces.")
    ] = False,
    force: Force = False,
) -> None:
    """Run one trial and write its network trace, with a space-time diagram."""
    from studies.execution import requirements
    from studies.playback import trace, updates
    from studies.storage.store import Store, default_folder
    from topologies import fonts, node_names

    window = trace.Window(time_of("--from", begin), time_of("--to", end))
    loaded, store = prepare(study, out_folder, overrides, quick)
    chosen = chosen_trial(loaded, trial)
    if update is not None:
        updates.check_update(chosen.settings, update, f"trial {trial}")
    requirements.check_game(chosen)
    if out_folder is not None:
        refuse_to_replace("--out", *(out_folder / name for name in trace.FILES), force=force)
    out.print(f"trial {trial} of {len(loaded.trials)}: {chosen.title}", markup=False)
    results = Store(default_folder(loaded.name, quick=quick))
    if update is not None:
        seconds = updates.wall_seconds(results, chosen, update)
        if (line := updates.announcement(f"trial {trial}", update, seconds)) is not None:
            out.print(line, markup=False)
    recorded = trace.record(chosen, update, results.claims.checkpoint(chosen))
    folder = out_folder or store.folder / "traces" / chosen.hash
    if out_folder is None and update is not None:
        folder /= f"update-{update}"
    try:
        files = trace.write(chosen, recorded, folder, window, upright=vertical, update=update)
    except ValueError as error:
        raise StudyError(str(error)) from error
    out.print(f"{len(recorded.events)} events")
    for file in files:
        out.print(f"trace:   {file}", markup=False)
    if (missing := fonts.complaint([chosen.title, *node_names(chosen.graph())])) is not None:
        err.print(f"warning: {missing}", markup=False, soft_wrap=True)
    if check:
        found = trace.difference(chosen, recorded, update=update)
        out.print("identical: a second run gives the same trace, byte for byte" if found is None else found)
        if found is not None:
            raise typer.Exit(1)
    else:
        words = next_steps.study_words("trace", study, out_folder, overrides, quick=quick)
        words += ("--trial", str(trial), *(() if update is None else ("--update", str(update))))
        words += ("--force",) if out_folder is not None else ()
        next_steps.show(next_steps.after_trace(words))


@app.command()
def play(
    study: StudyName,
    trial: Trial = 1,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            help="learnt (default), random; for skirmish also stop, hold, nearest, focus, e.g. nearest10.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Learnt models; default: those of the trial in runs/<study>."),
    ] = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Let learnt models take their most probable actions.")
    ] = False,
    film: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A .gif or .mp4 file, or an .SC2Replay for StarCraft; default"
            " runs/<study>/episodes/<hash>-<policy>-<seed>.gif.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the episodes and the actions.")] = 0,
    count: Annotated[
        int, typer.Option("--episodes", min=1, help="Number of episodes, played one after the other.")
    ] = 1,
    fps: Annotated[int, typer.Option("--fps", min=1, max=50, help="Steps shown per second.")] = 10,
    size: Annotated[
        int, typer.Option("--size", min=480, max=1920, help="Width of the film in pixels, with its panel.")
    ] = 800,
    no_panel: Annotated[
        bool,
        typer.Option(
            "--no-panel",
            help="Omit the panel of each agent's rewards and of the network; the picture keeps its size.",
        ),
    ] = False,
    overrides: Overrides = None,
    quick: Quick = False,
    force: Force = False,
) -> None:
    """Play episodes of a trial's environment with learnt models or a scripted policy, and write a film.

    Of StarCraft, a replay is written instead, which the game shows.
    """
    from studies.execution import requirements
    from studies.playback import episodes, video
    from studies.spec.loading import load
    from studies.storage.store import Store, default_folder

    loaded = load(study, overrides=overrides or (), quick=quick)
    store = Store(default_folder(loaded.name, quick=quick))
    chosen = chosen_trial(loaded, trial)
    player = episodes.choose_player(chosen, store, policy=policy, checkpoint=checkpoint, greedy=greedy)
    ending = player.workload.environment.replay_ending
    file = film or store.folder / "episodes" / f"{chosen.hash}-{player.policy}-{seed}{ending or '.gif'}"
    if ending is None:
        video.check(file)
    else:
        episodes.check_replay(player, file)
        requirements.check_game(chosen)
    if film is not None:
        refuse_to_replace("--out", film, force=force)
    out.print(f"trial {trial} of {len(loaded.trials)}: {chosen.title}", markup=False)
    out.print(f"policy:  {player.policy}" + (f", {player.models}" if player.models else ""), markup=False)
    if ending is None:
        episodes.film(
            player,
            file,
            out.print,
            seed=seed,
            episodes=count,
            frames_per_second=fps,
            width=size,
            panel=not no_panel,
        )
        out.print(f"film:    {file}", markup=False)
    else:
        episodes.record(player, file, out.print, seed=seed, episodes=count)
        out.print(f"replay:  {file}", markup=False)
    words = next_steps.study_words("play", study, None, overrides, quick=quick)
    words += ("--trial", str(trial), "--seed", str(seed))
    next_steps.show(next_steps.after_playing(words, learnt=player.models is not None and ending is None))


@app.command()
def batch(
    study: StudyName,
    file: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write; it ends in .npz.")],
    trial: Trial = 1,
    overrides: Overrides = None,
    quick: Quick = False,
    force: Force = False,
) -> None:
    """Play the batch that a trial of an `update` study learns from, and store it for `update.batch`.

    A trial with the same settings and seed that reads the batch makes the same update.
    """
    from studies.execution import requirements
    from studies.playback import batches
    from studies.spec.loading import load

    loaded = load(study, overrides=overrides or (), quick=quick)
    chosen = chosen_trial(loaded, trial)
    requirements.check_game(chosen)
    batches.check(chosen, file)
    refuse_to_replace("--out", file, force=force)
    out.print(f"trial {trial} of {len(loaded.trials)}: {chosen.title}", markup=False)
    played = batches.store(chosen, file)
    out.print(f"batch:   {file}, {played.samples} samples of {played.agents} agents", markup=False)
    words = next_steps.study_words("run", study, None, overrides, quick=quick)
    next_steps.show(next_steps.after_batch(words, file))


@app.command()
def schema() -> None:
    """Print the JSON Schema of study files, with which editors complete and check them."""
    from studies.spec.json_schema import study_schema

    print(json.dumps(study_schema(), indent=2))


@app.command(name="topologies")
def show_topologies(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Your own graph: GraphML, GML, JSON, edge list or CSV."),
    ] = None,
    nodes: Annotated[
        int | None, typer.Option("--nodes", min=2, help="Number of nodes of each graph; default: 16.")
    ] = None,
    names: Annotated[
        str | None, typer.Option("--names", help="Only these families, separated by commas.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the random families.")] = 0,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="PNG", help="Draw the graph of --name, or of FILE, into this file."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The family to draw.")] = None,
    force: Force = False,
) -> None:
    """Print the topologies with the numbers that determine how fast agents reach consensus.

    With FILE, print those of the graph in this file, and the names of its nodes; --draw draws it.
    """
    from studies.cli import topology_table

    if draw is not None:
        refuse_to_replace("--draw", draw, force=force)
    if file is not None:
        for option, given in {"--nodes": nodes, "--names": names, "--name": name}.items():
            if given is not None:
                raise StudyError(f"{option} and {file} cannot be combined: the graph is the file's")
        missing = topology_table.show_file(out, file, draw)
        if draw is not None:
            out.print(f"drawn: {draw}", markup=False)
            if missing is not None:
                err.print(f"warning: {missing}", markup=False, soft_wrap=True)
        else:
            next_steps.show(next_steps.after_topology_file(file))
        return
    nodes = 16 if nodes is None else nodes
    listed = topology_table.show(out, nodes, names.split(",") if names else None, seed)
    if (draw is None) != (name is None):
        raise StudyError("--draw and --name must be used together: --draw ring.png --name ring")
    if draw is not None and name is not None:
        topology_table.draw(name, nodes, seed, draw)
        out.print(f"drawn: {draw}", markup=False)
    else:
        next_steps.show(next_steps.after_topologies(nodes, listed[0] if listed else None))
