"""The command line: ``testbed run``, ``validate``, ``train``, ``play``, ``trace``, ``topologies`` and
``studies``.

Anything wrong with what was asked is one line on stderr and exit code 2, before anything is written.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

import topologies
from studies.document import StudyError

if TYPE_CHECKING:
    from studies.spec import Study, TrialSpec
    from studies.store import Store

app = typer.Typer(
    help="What happens to decentralised multi-agent learning when the network is not perfect.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

INTERRUPTED = 130

# Click's class for bad a command line; newer versions of typer carry their own copy of Click.
_USAGE_ERRORS: type[typer.BadParameter] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study file, or the name of a built-in study.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="A.B=C", help="Replaces one setting, e.g. network.link.loss=0.1. Repeatable."
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="The study's short form: its `quick:` block.")]
Trial = Annotated[int, typer.Option("--trial", min=1, help="Which trial of the study's grid.")]
Out = Annotated[Path | None, typer.Option("--out", help="Where results go; default runs/<study>.")]


@app.command()
def run(
    study: StudyName,
    out_folder: Out = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Trials at once; default: processors.")
    ] = None,
    overrides: Overrides = None,
    quick: Quick = False,
) -> None:
    """Run the trials of a study that have not been run yet, then draw its figures."""
    from studies import runner

    loaded, store = _prepare(study, out_folder, overrides, quick)
    _begin(store)
    out.print(f"{loaded.name}: {_described(loaded)}")
    outcome = runner.run(loaded, store, jobs=jobs or runner.default_jobs(), console=out)
    kept = f", {outcome.kept} were finished before" if outcome.kept else ""
    out.print(f"{outcome.run} trials run{kept}")
    if outcome.run + outcome.kept:
        _conclude(loaded, store)
    for trial in outcome.failed:
        err.print(f"failed: {trial.title}: see {store.traceback(trial)}")
    if outcome.failed:
        raise typer.Exit(1)


@app.command()
def validate(study: StudyName, overrides: Overrides = None, quick: Quick = False) -> None:
    """Check a study, with every trial of its grid, without running it, and tell what a trial will need."""
    from studies import needs
    from studies.loading import load

    loaded = load(study, overrides=overrides or (), quick=quick)
    out.print(f"{loaded.name}: {_described(loaded)}; nothing is wrong with it")
    out.print(needs.described(loaded))


@app.command()
def train(
    study: StudyName, out_folder: Out = None, overrides: Overrides = None, quick: Quick = False
) -> None:
    """Run a training study of one trial in this process, with a line per update."""
    from studies import display, runner
    from studies.versions import versions

    loaded, store = _prepare(study, out_folder, overrides, quick)
    if loaded.workload != "training":
        raise StudyError(f"{study}: workload = {loaded.workload!r}: `testbed train` needs a training study")
    if len(loaded.trials) != 1:
        raise StudyError(
            f"{study}: has {len(loaded.trials)} trials and `testbed train` runs one:"
            " use `testbed run`, or add --set vary={} --set seeds=1"
        )
    _begin(store)
    trial = loaded.trials[0]
    if store.status(trial) == "finished":
        out.print(f"{trial.title} was finished before")
    else:

        def report(phase: str, done: int, total: int, latest: dict[str, float]) -> None:
            out.print(f"{phase} {done}/{total}  {display.numbers(latest)}")

        runner.perform(runner.Task(trial, store.folder, versions()), report)
    _conclude(loaded, store)


@app.command()
def trace(
    study: StudyName,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Where the files go; default runs/<study>/traces/<hash>.")
    ] = None,
    overrides: Overrides = None,
    quick: Quick = False,
    trial: Trial = 1,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Where the diagram begins, e.g. 1.5s.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Where it ends; default: as far as is clear.")
    ] = None,
    vertical: Annotated[bool, typer.Option("--vertical", help="Time runs downward.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Run it a second time: is the trace the same?")
    ] = False,
) -> None:
    """Run one trial and write all that happened on its network, with a space-time diagram."""
    from studies import tracing

    window = tracing.Window(_time("--from", begin), _time("--to", end))
    loaded, store = _prepare(study, out_folder, overrides, quick)
    chosen = _trial(loaded, trial)
    out.print(f"trial {trial} of {len(loaded.trials)}: {chosen.title}")
    recorded = tracing.record(chosen)
    folder = out_folder or store.folder / "traces" / chosen.hash
    try:
        files = tracing.write(chosen, recorded, folder, window, upright=vertical)
    except ValueError as error:
        raise StudyError(str(error)) from error
    out.print(f"{len(recorded.events)} events")
    for file in files:
        out.print(f"trace:   {file}")
    if check:
        found = tracing.difference(chosen, recorded)
        out.print("identical: a second run gives the same trace, byte for byte" if found is None else found)
        if found is not None:
            raise typer.Exit(1)


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
        bool, typer.Option("--greedy", help="Learnt models take their most probable actions.")
    ] = False,
    film: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A .gif or .mp4; default runs/<study>/episodes/<hash>-<policy>-<seed>.gif.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the episodes and the actions.")] = 0,
    episodes: Annotated[int, typer.Option("--episodes", min=1, help="One after the other.")] = 1,
    fps: Annotated[int, typer.Option("--fps", min=1, max=50, help="Steps shown in a second.")] = 10,
    overrides: Overrides = None,
    quick: Quick = False,
) -> None:
    """Play episodes of a trial's environment, by learnt models or a scripted policy, into a film."""
    from studies import films, playing
    from studies.loading import load
    from studies.store import Store

    loaded = load(study, overrides=overrides or (), quick=quick)
    store = Store(Path("runs") / loaded.name)
    chosen = _trial(loaded, trial)
    player = playing.choose_player(chosen, store, policy=policy, checkpoint=checkpoint, greedy=greedy)
    file = film or store.folder / "episodes" / f"{chosen.hash}-{player.policy}-{seed}.gif"
    films.check(file)
    out.print(f"trial {trial} of {len(loaded.trials)}: {chosen.title}")
    out.print(f"policy:  {player.policy}" + (f", {player.models}" if player.models else ""))
    playing.film(player, file, out.print, seed=seed, episodes=episodes, frames_per_second=fps)
    out.print(f"film:    {file}")


@app.command(name="topologies")
def show_topologies(
    nodes: Annotated[int, typer.Option("--nodes", min=2, help="Nodes of each graph.")] = 16,
    names: Annotated[str | None, typer.Option("--names", help="Only these, separated by commas.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random families.")] = 0,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="PNG", help="Draws the one of --name.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Which one to draw.")] = None,
) -> None:
    """Print the topologies with the numbers that decide how fast agents agree on them."""
    from studies import topology_table

    topology_table.show(out, nodes, names.split(",") if names else None, seed)
    if (draw is None) != (name is None):
        raise StudyError("--draw and --name belong together: --draw ring.png --name ring")
    if draw is not None and name is not None:
        topology_table.draw(name, nodes, seed, draw)
        out.print(f"drawn: {draw}")


@app.command(name="studies")
def list_studies() -> None:
    """List the built-in studies."""
    from studies.loading import builtin_names, load

    for name in builtin_names():
        study = load(name)
        out.print(f"[bold]{name}[/]  {study.question} ({_described(study)})")


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Ends with SystemExit: 0 well, 1 failed trials, 2 bad input, 130 stopped.

    Args:
        arguments: instead of the command line's.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)  # a scheduler's stop is as clean as Ctrl-C
    try:
        code = app(args=arguments, standalone_mode=False)
    except (
        KeyboardInterrupt,
        typer.Abort,
    ):  # typer itself turns it into the exit code, older ones into Abort
        code = INTERRUPTED
    except (StudyError, topologies.TopologyError) as error:
        err.print(" ".join(str(error).split()))
        sys.exit(2)
    except _USAGE_ERRORS as error:
        err.print(" ".join(error.format_message().split()) or "nothing to do; see testbed --help")
        sys.exit(2)
    finally:
        signal.signal(signal.SIGTERM, before)
    if code == INTERRUPTED:
        err.print("stopped; finished trials are kept: the same command goes on where this one was")
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _prepare(name: str, folder: Path | None, overrides: list[str] | None, quick: bool) -> tuple[Study, Store]:
    from studies import needs
    from studies.loading import load
    from studies.store import Store

    study = load(name, overrides=overrides or (), quick=quick)
    needs.check(study)
    place = folder or Path("runs") / study.name
    if place.exists() and not place.is_dir():
        raise StudyError(f"--out {place}: is a file, not a folder")
    return study, Store(place)


def _trial(study: Study, number: int) -> TrialSpec:
    if number > len(study.trials):
        raise StudyError(f"--trial {number}: the study has {_counted(len(study.trials), 'trial')}")
    return study.trials[number - 1]


def _time(option: str, text: str | None) -> float | None:
    from testbed.units import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise StudyError(f"{option}: {error}") from error


def _begin(store: Store) -> None:
    """Makes the folder of the results, after everything has been checked."""
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"--out {store.folder}: cannot be made: {error.strerror}") from error


def _described(study: Study) -> str:
    seeds = len({trial.seed for trial in study.trials})
    varied = f" of {' x '.join(study.varied)}" if study.varied else ""
    conditions = _counted(len(study.trials) // seeds, "condition") + varied
    trials = _counted(len(study.trials), "trial")
    return f"{study.workload}, {trials}: {conditions}, {_counted(seeds, 'seed')} each"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _conclude(study: Study, store: Store) -> None:
    from studies.results import draw_figures, warnings

    figures = draw_figures(study, store)
    out.print(f"tables:  {store.folder / 'summary.csv'}")
    for figure in figures:
        out.print(f"figure:  {figure}")
    for line in warnings(study, store):
        err.print(f"warning: {line}")
