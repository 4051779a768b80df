"""The command line: ``testbed run``, ``validate``, ``train`` and ``studies``.

The other commands are in ``inspect``, ``results`` and ``report``.

Invalid input gives one line on stderr and exit code 2, before anything is written.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from studies.cli import command_map, next_steps
from studies.cli.options import Out, Overrides, Quick, StudyName, app, err, out, prepare, show
from studies.cli.stopping import INTERRUPTED, interrupted_once, stopped
from studies.formatting import counted, last_line
from studies.spec.document import StudyError, one_line
from testbed.common.errors import PluginError, WorldError
from testbed.common.garbage import not_collected

if TYPE_CHECKING:
    from studies.spec.study import Study, TrialSpec
    from studies.storage.store import Store

# Click's class for a bad command line; newer versions of typer carry their own copy of Click.
_USAGE_ERRORS: type[typer.BadParameter] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)


@dataclass
class _Process:
    """When this process started, if that was for a command: see :func:`main`."""

    begun: float | None = None


_process = _Process()


@app.command()
def run(
    study: StudyName,
    out_folder: Out = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Concurrent trials; default: one per processor.")
    ] = None,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="BACKEND",
            help="local; ray: a running cluster, or else a temporary one on this machine; HOST:PORT of a Ray"
            " cluster's head, or ray://HOST:PORT.",
        ),
    ] = "local",
    overrides: Overrides = None,
    quick: Quick = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write curves for TensorBoard, too, under DIR/tensorboard.")
    ] = False,
    wandb: Annotated[
        str | None,
        typer.Option(
            "--wandb",
            metavar="PROJECT",
            help="Write runs for Weights & Biases, too, under DIR/wandb; offline unless WANDB_MODE is set.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the trials with the time and memory they will take.")
    ] = False,
) -> None:
    """Run the trials of a study that have not been run yet, then draw its figures.

    A folder with finished trials of another study is refused, because its tables would lose them.
    """
    from studies.execution import fork_server

    with fork_server.first_imports(here=on == "local"):
        from studies.execution import backends, host_resources, requirements, runner
        from studies.spec.manifest import described

    here = on == backends.LOCAL  # the devices of a cluster are on its nodes
    loaded, store = prepare(study, out_folder, overrides, quick, here=here)
    if here:
        requirements.check_memory(loaded)
    if dry_run:
        requirements.check_games(loaded)
        _dry_run(loaded, store, jobs or host_resources.processors())
        again = next_steps.study_words("run", study, out_folder, overrides, quick=quick)
        next_steps.show(next_steps.after_checking(again))
        return
    if tensorboard:
        from studies.execution.tensorboard import check

        check()
    if wandb is not None:
        from studies.execution import weights_and_biases

        weights_and_biases.check(wandb)
    executor = backends.executor(on, jobs, store.folder)
    if here:
        requirements.check_games(loaded)
    for line in store.remember(loaded):
        err.print(line)
    if here:
        _advise(loaded)
    out.print(f"{loaded.name}: {described(loaded)}", markup=False)
    outcome = runner.run(loaded, store, executor=executor, console=out, tensorboard=tensorboard, wandb=wandb)
    kept = f", {outcome.kept} finished earlier" if outcome.kept else ""
    others = f", {outcome.others} by another process" if outcome.others else ""
    out.print(f"{counted(outcome.run, 'trial')} run{kept}{others}")
    finished = bool(outcome.run + outcome.kept + outcome.others)
    if finished:
        _conclude(loaded, store)
    for trial, reason in zip(outcome.failed, outcome.reasons, strict=True):
        _tell_failure(trial, reason, store)
    next_steps.show(next_steps.after_running(store.folder, finished=finished, failed=bool(outcome.failed)))
    if outcome.failed:
        raise typer.Exit(_failure(foreign=outcome.foreign))


@app.command()
def validate(study: StudyName, overrides: Overrides = None, quick: Quick = False) -> None:
    """Check a study and every trial of its grid without running it, and print the memory a trial needs.

    With `algorithm.device: cuda`, also that of a GPU, and how many trials fit into this machine's.
    """
    with not_collected():
        from studies.execution import host_resources, requirements
        from studies.spec.loading import load
        from studies.spec.manifest import described

    loaded = load(study, overrides=overrides or (), quick=quick)
    requirements.check_memory(loaded)
    requirements.check_games(loaded)
    out.print(f"{loaded.name}: {described(loaded)}; valid", markup=False)
    out.print(requirements.described(loaded))
    _tell_gpu_and_clients(loaded)
    _advise(loaded)
    again = next_steps.study_words("run", study, None, overrides, quick=quick)
    here = not any(map(requirements.gpus, loaded.trials)) or host_resources.gpu() is not None
    next_steps.show(next_steps.after_checking(again, here=here))


@app.command()
def train(
    study: StudyName, out_folder: Out = None, overrides: Overrides = None, quick: Quick = False
) -> None:
    """Run a training study of one trial in this process, with a line per update."""
    from studies import columns
    from studies.execution import executor, requirements, runner
    from studies.execution.pace import STARTING
    from studies.storage.provenance import versions

    loaded, store = prepare(study, out_folder, overrides, quick)
    requirements.check_memory(loaded)
    if loaded.workload != "training":
        raise StudyError(f"{study}: workload = {loaded.workload!r}: `testbed train` needs a training study")
    if len(loaded.trials) != 1:
        raise StudyError(
            f"{study}: has {len(loaded.trials)} trials and `testbed train` runs one:"
            " use `testbed run`, or add --set vary={} --set seeds=1"
        )
    requirements.check_games(loaded)
    for line in store.remember(loaded):
        err.print(line)
    _advise(loaded)
    trial = loaded.trials[0]
    if store.status(trial) == "finished":
        out.print(f"{trial.title} had already finished", markup=False)
    else:

        def report(phase: str, done: int, total: int, latest: dict[str, float]) -> None:
            if phase != STARTING:
                out.print(f"{phase} {done}/{total}  {columns.watched(latest)}")

        task = runner.Task(trial, store.folder, versions(), wait=True)
        ended = executor.attempt(runner.perform, 0, task, report)
        if isinstance(ended, executor.Failed):
            store.write_failure(trial, task.versions, ended.trace)
            _tell_failure(trial, last_line(ended.trace), store)
            raise typer.Exit(_failure(foreign=ended.foreign))
    _conclude(loaded, store)
    next_steps.show(next_steps.after_running(store.folder, finished=True, failed=False))


@app.command(name="studies")
def list_studies() -> None:
    """List the built-in studies."""
    from studies.spec.builtin import builtin_names
    from studies.spec.loading import load
    from studies.spec.manifest import described

    for name in builtin_names():
        study = load(name)
        out.print(f"[bold]{escape(name)}[/]  {escape(study.question)} ({escape(described(study))})")
    next_steps.show(next_steps.after_studies())


# isort: off
# Importing these registers their commands: in this order, and after those above.
from studies.cli import results  # noqa: E402, F401
from studies.cli import inspect  # noqa: E402, F401
from studies.cli import report  # noqa: E402, F401
from studies.cli import suite  # noqa: E402, F401
# isort: on

command_map.group()


def main(arguments: Sequence[str] | None = None, *, begun: float | None = None) -> None:
    """The console script. Raises SystemExit: 0 success, 1 failed trials, 2 bad input, 130 stopped.

    Trials that all failed because their environment or another package broke end in 2, too.

    Args:
        arguments: used instead of those of the command line.
        begun: `time.monotonic` when this process started; None if it has done other things since.
    """
    _process.begun = begun
    try:
        with interrupted_once(then_exits=arguments is None):
            code = _command()(args=arguments, standalone_mode=False)
    except (
        KeyboardInterrupt,
        typer.Abort,
    ):  # typer turns it into the exit code, older versions into Abort
        code = INTERRUPTED
    except SystemExit:  # a word has been completed: nothing further is to be imported
        raise
    except _bad_input() as error:
        for line in str(error).splitlines():
            err.print(one_line(line))
        sys.exit(2)
    except OSError as error:  # a full disk, say, or a folder without write permission
        where = f"{error.filename}: " if error.filename else ""
        err.print(" ".join(f"{where}{error.strerror or error}; earlier results are unchanged".split()))
        sys.exit(2)
    except _USAGE_ERRORS as error:
        err.print(" ".join(error.format_message().split()) or "nothing to do; see testbed --help")
        sys.exit(2)
    if code == INTERRUPTED:
        err.print(stopped(sys.argv[1:] if arguments is None else arguments))
    sys.exit(code if isinstance(code, int) else 0)


@functools.cache
def _command() -> Any:
    """The command that typer makes of all functions above, which takes it a while."""
    return typer.main.get_command(app)


def _bad_input() -> tuple[type[Exception], ...]:
    """The classes of errors of bad input, imported when there is one: completions cannot wait for them."""
    from topologies import TopologyError

    return StudyError, TopologyError, WorldError, PluginError


def _failure(*, foreign: bool) -> int:
    """The exit code after failed trials: that of bad input if only what the study brings along has failed."""
    return 2 if foreign else 1


def _tell_failure(trial: TrialSpec, reason: str, store: Store) -> None:
    trace = store.traceback(trial)
    where = f"traceback: {trace}" if trace.exists() else "it could not be stored"
    err.print(f"failed: {trial.title}: {reason} ({where})")


def _dry_run(study: Study, store: Store, jobs: int) -> None:
    from studies.execution import dry_run

    # This process has imported what a worker imports before it begins.
    startup = 0.0 if _process.begun is None else time.monotonic() - _process.begun
    with err.status("") as busy:
        found = dry_run.estimate(study, store, lambda trial: busy.update(f"measuring {escape(trial.title)}"))
    show(dry_run.estimate_table(found))
    out.print(f"{study.name}: {dry_run.remaining(found, jobs, startup)}", markup=False)
    _tell_gpu_and_clients(study)


def _tell_gpu_and_clients(study: Study) -> None:
    from studies.execution import requirements

    for line in (requirements.described_gpu(study), requirements.clients(study)):
        if line is not None:
            out.print(line, markup=False)


def _advise(study: Study) -> None:
    """Prints suggestions that would make the trials faster here."""
    from studies.execution import requirements

    for line in requirements.advice(study):
        err.print(f"warning: {line}", markup=False, highlight=False, soft_wrap=True)


def _conclude(study: Study, store: Store) -> None:
    with not_collected():
        from studies.analysis import baselines
        from studies.analysis.finding import findings
        from studies.analysis.warnings import idle_faults, lost_clients
        from studies.figures.from_store import draw_figures

    def warn(line: str) -> None:
        err.print(f"warning: {line}")

    if (damage := baselines.damage(store)) is not None:
        err.print(f"damaged: {damage}; it is measured again")
    figures = draw_figures(study, store, warn)
    out.print(f"tables:  {store.folder / 'summary.csv'}", markup=False)
    for figure in figures:
        out.print(f"figure:  {figure}", markup=False)
    summary = store.summarise(study)  # again: other processes may have finished trials during the figures
    for line in findings(study, summary):
        out.print(f"found:   {line}", markup=False)
    for line in [*idle_faults(study, summary), *lost_clients(study, summary)]:
        warn(line)
