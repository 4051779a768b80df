"""Checks of one condition of a study before anything runs. Each check raises StudyError."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

import topologies
from policies.batch import Batch, BatchError
from studies.spec.document import Document, Keys, StudyError
from studies.spec.setting_models import setting_paths
from studies.spec.study import DEFAULT_TOPOLOGY, HEADER_KEYS, WORKLOADS
from studies.spec.synonyms import did_you_mean
from studies.spec.topology import OWN_KEYS, TopologySettings
from studies.spec.validation_errors import complaint, problem, problems
from testbed import workloads
from testbed.common.settings import SettingError, Settings
from testbed.training import warm_start
from testbed.training.stored_models import MODELS, START_FROM, load_models
from testbed.training.trainer import spaces


def check_settings(document: Document, workload: str) -> workloads.Workload:
    model = WORKLOADS[workload]
    own = {key: value for key, value in document.data.items() if key not in (*HEADER_KEYS, "topology")}
    try:
        return typing.cast(workloads.Workload, model.model_validate(own))
    except ValidationError as error:
        also = (*HEADER_KEYS, "topology")
        paths = (*also, "topology.nodes", *setting_paths(model))
        raise StudyError.of(problems(error, model, document, also, paths)) from error


def check_samples(document: Document, settings: workloads.Workload) -> bool:
    """True: the samples of a batch are whole rounds of the episodes side by side. Raises StudyError."""
    if isinstance(settings, workloads.ProblemWorkload):
        return True
    try:
        settings.loop.shape(settings.environment.episode_length, settings.environment.most_parallel)
    except SettingError as error:
        raise complaint(document, (settings.workload, *error.keys), error.reason) from error
    return True


def check_models(
    document: Document,
    settings: workloads.Workload,
    starts: Mapping[int, Path],
    checked: set[tuple[object, ...]],
) -> bool:
    """Stored models must fit the networks of the trial, as far as they are known without outside code.

    Args:
        document, settings: of one condition.
        starts: files of the models that training begins with, by seed.
        checked: files with the settings that they fit; new ones are added.
    """
    if isinstance(settings, workloads.ProblemWorkload) or settings.environment.outside:
        return True
    files, keys = list(dict.fromkeys(starts.values())), START_FROM
    if isinstance(settings, workloads.UpdateWorkload):
        files, keys = [settings.update.models] if settings.update.models is not None else [], MODELS
    for file in files:
        key = (file, settings.environment, settings.algorithm.model_dump_json())
        if key in checked:
            continue
        with settings.environment.make(1) as world:
            learner = settings.algorithm.make(spaces(world), np.random.default_rng(0))
        try:
            load_models(file, learner, keys)
        except SettingError as error:
            raise complaint(document, keys, error.reason) from error
        checked.add(key)
    return True


def check_batch(document: Document, settings: workloads.Workload, checked: set[tuple[object, ...]]) -> bool:
    """A stored batch must be complete and, as far as is known without outside code, of this environment."""
    if not isinstance(settings, workloads.UpdateWorkload) or settings.update.batch is None:
        return True
    path, environment = settings.update.batch, settings.environment
    if (path, environment) in checked:
        return True
    try:
        batch = Batch.load(path)
        if not environment.outside:
            with environment.make(1) as world:
                warm_start.check_batch(batch, path, world)
    except (BatchError, SettingError) as error:
        raise complaint(document, warm_start.BATCH, error.reason) from error
    checked.add((path, environment))
    return True


def check_topology(document: Document) -> TopologySettings:
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
            reason = f"unknown key{did_you_mean(key, allowed)} (allowed: {', '.join(sorted(allowed))})"
            unknown.append(problem(document, ("topology", key), reason))
    if unknown:
        raise StudyError.of(unknown)


def _no_family(document: Document, keys: Keys, name: str) -> StudyError:
    families = topologies.FAMILIES
    return complaint(
        document, keys, f"must be one of {', '.join(families)}{did_you_mean(name, families)}", value=name
    )


def check_graph(
    document: Document, settings: workloads.Workload, topology: TopologySettings, seed: int
) -> bool:
    """True: the graph can be built and has the links that the network's settings name. Raises StudyError."""
    try:
        graph = topology.graph(settings.agents, seed)
    except topologies.TopologyError as error:
        field = error.field
        named = field is not None and (field in OWN_KEYS or field in topology.parameters)
        keys: Keys = ("topology", str(field)) if named else ("topology",)
        if "topology" not in document.data:  # then it is the number of agents that fits no ring
            keys = ("problem", "agents")
            if not isinstance(settings, workloads.ProblemWorkload):
                has_field = "agents" in type(settings.environment).model_fields
                keys = ("environment", "agents") if has_field else ("environment",)
        raise complaint(document, keys, error.reason if named else str(error)) from error
    network = settings.network
    try:
        network.check(graph)
    except SettingError as error:
        if not error.keys:  # then it is about attributes that the graph's file gives to links
            raise complaint(document, ("topology",), str(error)) from error
        raise complaint(document, ("network", *error.keys), error.reason) from error
    try:
        settings.check(graph)
    except SettingError as error:
        raise complaint(document, error.keys, error.reason) from error
    return True
