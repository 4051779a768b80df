"""From what a study file says to a list of trials, each of them checked before anything runs."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import networkx as nx
from pydantic import BeforeValidator, Field, NonNegativeInt, ValidationError

import topologies
from studies import grid
from studies.document import Document, Keys
from studies.explain import complaint, explain, nearest
from studies.outline import titled
from studies.topology import OWN_KEYS, TopologySettings
from testbed import workloads
from testbed.environments.skirmish.maps import names_a_file
from testbed.identity import FORMAT, content_of, digest, essence, with_contents
from testbed.settings import SettingError, Settings
from testbed.training import LoopSettings

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


MOST_SEEDS = 10_000
"""That a number of seeds may stand for: more of them are a slip of the keyboard."""


def _counted(value: Any) -> Any:
    """``seeds: 3`` is short for ``seeds: [0, 1, 2]``."""
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
        StudyError: anything is wrong; one line.
    """
    data = document.data
    workload = data.get("workload")
    if not isinstance(workload, str) or workload not in WORKLOADS:
        allowed = f"must be one of {', '.join(WORKLOADS)}"
        if "workload" not in data:
            raise complaint(document, ("workload",), f"missing; {allowed}")
        raise complaint(document, ("workload",), allowed + nearest(workload, WORKLOADS), value=workload)
    try:
        header = Header.model_validate({key: data[key] for key in HEADER_KEYS if key in data})
    except ValidationError as error:
        raise explain(error, Header, document) from error
    levels = grid.read(document, TOP_KEYS, HEADER_KEYS)
    seen: dict[str, TrialSpec] = {}
    for trial in _trials(document, header, levels, workload):
        earlier = seen.get(trial.hash)
        if earlier is not None and earlier.resolved == trial.resolved:
            reason = f"two trials are the same: {earlier.title} and {trial.title}"
            raise complaint(document, ("vary",), reason)
        one = trial if earlier is None else replace(trial, apart=True)
        seen[one.hash] = one
    trials = tuple(seen.values())
    worlds, compared = grid.worlds(levels), grid.compared(levels)
    return Study(name, header.question, workload, tuple(levels), trials, worlds, compared, data)


def _trials(
    document: Document, header: Header, levels: Mapping[str, Sequence[grid.Level]], workload: str
) -> Iterator[TrialSpec]:
    checked: set[tuple[object, ...]] = set()
    contents: dict[str, dict[str, str]] = {}  # each file is read once, for all trials
    for cell in grid.cells(levels):
        filled = grid.fill(document, cell)
        files = read_files(filled, contents)
        settings = _settings(filled, workload)
        _check_samples(filled, settings)
        topology = _topology(filled)
        varied = {name: level.label for name, level in cell.items()}
        for seed in header.seeds:
            said = [part.model_dump_json() for part in (topology, settings.network)]
            key = (*said, getattr(settings, "algorithm", None), settings.agents, seed)
            if key not in checked:
                _check_graph(filled, settings, topology, seed)
                checked.add(key)
            yield TrialSpec(settings, topology, seed, varied, files)


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
        raise explain(error, model, document, (*HEADER_KEYS, "topology")) from error


def _check_samples(document: Document, settings: workloads.Workload) -> None:
    """The samples of a batch must be whole rounds of the episodes side by side."""
    if isinstance(settings, workloads.ProblemWorkload):
        return
    if isinstance(settings, workloads.TrainingWorkload):
        loop = settings.training
    else:
        loop = LoopSettings(samples=settings.update.samples)
    try:
        loop.shape(settings.environment.episode_length)
    except ValueError as error:
        raise complaint(document, (settings.workload, "samples"), str(error)) from error


def _topology(document: Document) -> TopologySettings:
    data = document.data.get("topology", DEFAULT_TOPOLOGY)
    if isinstance(data, dict):
        _check_parameters(document, data)
    try:
        return _Holder.model_validate({"topology": data}).topology
    except ValidationError as error:
        raise explain(error, _Holder, document) from error


class _Holder(Settings):
    topology: TopologySettings


def _check_parameters(document: Document, data: Mapping[str, Any]) -> None:
    family = topologies.FAMILIES.get(str(data.get("name")))
    allowed = [*OWN_KEYS, *(family.parameters if family else ())]
    for key in data:
        if key not in allowed and (family or "name" not in data):
            reason = f"unknown key{nearest(key, allowed)} (allowed: {', '.join(sorted(allowed))})"
            raise complaint(document, ("topology", key), reason)


def _check_graph(
    document: Document, settings: workloads.Workload, topology: TopologySettings, seed: int
) -> None:
    """Builds the graph, and looks in it for the links that the network's settings name."""
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
    if isinstance(settings, workloads.LearningWorkload):
        try:
            settings.check(graph)
        except ValueError as error:
            raise complaint(document, ("topology",), str(error)) from error
    network = settings.network
    try:
        network.check(graph)
    except SettingError as error:
        if not error.keys:  # then it is about attributes that the graph's file gives to links
            raise complaint(document, ("topology",), str(error)) from error
        raise complaint(document, ("network", *error.keys), str(error).partition(": ")[2]) from error
