"""Methods that are given on the command line: ``file.py:attribute`` or ``module:attribute``.

**This runs the named code, with the rights of the user.** The attribute is a consensus algorithm (a subclass
of :class:`testbed.consensus.base.Consensus`), a learner's settings (a subclass of
:class:`policies.algorithms.learner.LearnerSettings`), or a :class:`SuiteMethod`, which sets what it likes of
``consensus`` and ``algorithm``, task by task.

Processes that run trials must know the code, too. So it is registered as an installed package would be: by an
entry point, in a folder of metadata that is put on the path of this process and of those that it starts.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from policies.algorithms.learner import LearnerSettings
from studies.spec.document import StudyError
from studies.suite.definition import MethodSettings
from studies.suite.methods import Method
from testbed.common.atomic_files import write_text
from testbed.common.errors import first_line
from testbed.common.settings import Settings
from testbed.common.validation_messages import first_error
from testbed.consensus.base import Consensus
from testbed.consensus.traits import ALGORITHMS
from testbed.training.learners import LEARNERS

_SMOOTH = "needs gradients of smooth convex problems"
_AVERAGES = "averages vectors and solves nothing else"
_LEARNS = "learns policies"


@dataclass(frozen=True)
class SuiteMethod:
    """A method that sets several things, or different ones by task.

    Attributes:
        name: in tables.
        settings: task or workload -> dotted path under ``consensus`` or ``algorithm`` -> value.
        not_for: task or workload -> why it does not apply.
        about: what it is, one phrase.
        uses: classes of consensus algorithms and of learners' settings from outside the testbed that the
            settings name.
    """

    name: str
    settings: Mapping[str, Mapping[str, Any]]
    not_for: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    uses: tuple[type, ...] = ()


class _Given(Settings):
    """The types of the fields of a :class:`SuiteMethod`, which is written by others."""

    name: str
    settings: dict[str, dict[str, Any]]
    not_for: dict[str, str]
    about: str
    uses: tuple[type, ...]


def is_reference(text: str) -> bool:
    """Whether an option names code, as ``mine:Learner`` or ``folder/mine.py:Learner``."""
    return ":" in text


def load(reference: str, metadata: Path) -> Method:
    """Imports the code that a reference names, and registers it for the processes that run trials.

    Args:
        reference: ``file.py:attribute`` or ``module:attribute``.
        metadata: folder for the entry points; created.

    Raises:
        StudyError: it cannot be imported, has no such attribute, or that is no method; one line.
    """
    place, _, attribute = reference.rpartition(":")
    where = f"--method {reference}"
    module, digest = _imported(place, where)
    found = _attribute(module, attribute, place, where)
    if isinstance(found, SuiteMethod):
        name, classes, settings = _of_suite_method(found, where)
    elif isinstance(found, type) and issubclass(found, Consensus) and isinstance(_own_name(found), str):
        name, classes, settings = found.name, (found,), _of_algorithm(found)
    elif isinstance(found, type) and issubclass(found, LearnerSettings) and _default_name(found):
        name, classes = _default_name(found), (found,)
        settings = _of_learner(name)
    else:
        raise StudyError(
            f"{where}: is neither a subclass of testbed.consensus.base.Consensus or"
            " policies.algorithms.learner.LearnerSettings with a name of its own, nor a SuiteMethod"
        )
    for kind in classes:
        _check_class(kind, where)
    _register(classes, metadata / f"suite_{digest[:16]}-0.dist-info")
    return Method(name, settings, digest)


def _attribute(module: ModuleType, attribute: str, place: str, where: str) -> Any:
    """The attribute of a module, which may have code that finds it. StudyError if there is none."""
    try:
        found = getattr(module, attribute, None)
    except Exception as error:  # whatever somebody else's code raises when it is asked
        raise StudyError(f"{where}: cannot be read: {first_line(error)}") from error
    if found is None:
        names = ", ".join(name for name in vars(module) if not name.startswith("_"))
        raise StudyError(f"{where}: {place} has no {attribute!r}; it has {names or 'nothing'}")
    return found


def _own_name(kind: type) -> Any:
    """The name that a class sets itself: with an inherited one its settings would choose its parent."""
    return vars(kind).get("name")


def _default_name(kind: type[LearnerSettings]) -> str:
    """The name that settings of a learner have without being told; empty if there is none."""
    field = kind.model_fields.get("name")
    return field.default if field is not None and isinstance(field.default, str) else ""


def _of_suite_method(found: SuiteMethod, where: str) -> tuple[str, tuple[type, ...], MethodSettings]:
    """Name, classes and settings of a :class:`SuiteMethod`. StudyError if a field is of another type."""
    try:
        given = _Given.model_validate(vars(found))
    except ValidationError as error:
        raise StudyError(f"{where}: SuiteMethod: {first_error(error)}") from error
    own: dict[str, Any] = dict(given.settings)
    return given.name, given.uses, MethodSettings(about=given.about, settings=own, not_for=given.not_for)


def _check_class(kind: type, where: str) -> None:
    """Raises StudyError, one line, for a class that no process could find, or make an object of."""
    if not issubclass(kind, Consensus | LearnerSettings):
        raise StudyError(
            f"{where}: uses {kind.__name__}, which is neither a consensus algorithm nor a learner"
        )
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not kind:
        raise StudyError(
            f"{where}: {kind.__qualname__} cannot be imported by the processes that run trials: it must be an"
            f" attribute of {kind.__module__}, of this name"
        )
    lacks = sorted(getattr(kind, "__abstractmethods__", ()))
    if issubclass(kind, Consensus):
        lacks += [name for name in ("allowed_activations", "message_kinds") if not hasattr(kind, name)]
    if inspect.isabstract(kind) or lacks:
        raise StudyError(f"{where}: {kind.__name__} must define {', '.join(lacks)}")


def _imported(place: str, where: str) -> tuple[ModuleType, str]:
    """The module of a file or of a name, and the digest of its file."""
    path = Path(place)
    if place.endswith(".py"):
        if not path.is_file():
            raise StudyError(f"{where}: no such file {place}")
        if not re.fullmatch(r"[A-Za-z_]\w*", path.stem):
            raise StudyError(
                f"{where}: {path.name} is not a module name: must have only letters, digits and _"
            )
        name, folder = path.stem, path.resolve().parent
    else:
        name, folder = place, Path.cwd()
    _findable(folder)
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever somebody else's code raises when it is imported
        raise StudyError(f"{where}: cannot be imported: {first_line(error)}") from error
    file = getattr(module, "__file__", None)
    if file is None or (place.endswith(".py") and Path(file).resolve() != path.resolve()):
        raise StudyError(
            f"{where}: the name {name!r} is taken by {file or 'a module without a file'}; rename it"
        )
    return module, hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _register(classes: tuple[type, ...], folder: Path) -> None:
    """Writes metadata with entry points of the classes, and puts them on the path, here and in children."""
    groups: dict[str, list[str]] = {}
    for kind in classes:
        group = (ALGORITHMS if issubclass(kind, Consensus) else LEARNERS).group
        groups.setdefault(group, []).append(f"{kind.__name__} = {kind.__module__}:{kind.__qualname__}")
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.name.partition("-")[0]
    lines = [line for group, points in groups.items() for line in (f"[{group}]", *points, "")]
    write_text(folder / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
    write_text(folder / "entry_points.txt", "\n".join(lines) + "\n")
    _findable(folder.parent.resolve())


def _findable(folder: Path) -> None:
    """Puts a folder on the path of imports: last, so that it hides nothing that is installed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _of_algorithm(kind: type[Consensus]) -> MethodSettings:
    """A consensus algorithm solves what its traits say; learners use it in place of their own."""
    settings = {"consensus.algorithm": kind.name}
    if kind.averages:
        learning = {"training": {"algorithm": {"name": "fdmarl"}, **settings}}
        return MethodSettings(
            settings={"convex-mean": settings, **learning},
            not_for={"problem": _AVERAGES, "update": _AVERAGES},
        )
    if kind.needs_gradients:
        mean = "needs gradients, which the mean problem does not give here"
        reasons = {"convex-mean": mean, "update": _SMOOTH, "training": _SMOOTH}
        return MethodSettings(settings={"problem": settings}, not_for=reasons)
    return MethodSettings(settings={"problem": settings, "update": settings, "training": settings})


def _of_learner(name: str) -> MethodSettings:
    reasons = {"problem": _LEARNS, "update": "the task is an update of MATRPO"}
    return MethodSettings(settings={"training": {"algorithm": {"name": name}}}, not_for=reasons)
