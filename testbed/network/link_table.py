"""The settings of each direction of each link of a graph.

From weakest to strongest: `link` (all), `classes` (by the edge attribute `class`), the edge's own attributes
(see `testbed.network.graph_attributes`), `links` by name, names of both directions before those of one.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import networkx as nx
from pydantic import ValidationError

import topologies
from testbed.common import yaml_text
from testbed.common.settings import SettingError
from testbed.common.suggestions import closest
from testbed.common.validation_messages import first_error
from testbed.network.graph_attributes import check_graph_attributes, stated_settings
from testbed.network.impairments.link_settings import LinkOverride, LinkSettings
from testbed.network.link_names import nearest_link, parse_directions


def settings_by_direction(
    graph: "nx.Graph[int]",
    everywhere: LinkSettings,
    classes: Mapping[str, LinkOverride],
    links: Mapping[str, LinkOverride],
) -> dict[tuple[int, int], LinkSettings]:
    """The settings by (source, destination), both directions of each edge in the order of the graph.

    Raises SettingError if a link is named that the graph does not have, an edge has a class that `classes`
    lacks (where it names any), no edge has a class that it names, or settings contradict each other. Its
    keys are empty where attributes of the graph are the cause.
    """
    for name in links:
        if not graph.has_edge(*parse_directions(name)[0]):
            reason = f"{name!r} is not a link of this graph{nearest_link(name, graph)}"
            raise SettingError(("links", name), reason, field="links")
    by_class = {name: _merged(("classes", name), everywhere, override) for name, override in classes.items()}
    try:
        check_graph_attributes(graph.graph)
    except ValueError as error:
        raise SettingError((), f"attributes of the graph: {error}") from None
    used = set()
    table = {}
    known: dict[tuple[str, str], LinkSettings] = {}
    """Settings by class and attributes: large graphs have few different links."""
    for u, v, attributes in graph.edges(data=True):
        link, name = everywhere, ""
        if classes and "class" in attributes:
            name = str(attributes["class"])
            if name not in by_class:
                near = closest(name, by_class)
                hint = f": did you mean {near!r}?" if near else f" ({', '.join(by_class)})"
                reason = f"link {topologies.link_title(graph, u, v)} has the unknown class {name!r}{hint}"
                raise SettingError(("classes",), reason, field="classes")
            used.add(name)
            link = by_class[name]
        edge = partial(_attributes_of, graph, u, v)
        try:
            own = stated_settings(attributes, graph.graph)
        except ValueError as error:
            raise SettingError((), f"{edge()}: {error}") from None
        if own:
            key = name, repr(own)
            if key not in known:
                known[key] = _merged((), link, _override(edge, own), edge)
            link = known[key]
        table[u, v] = table[v, u] = link
    for name in classes:
        if name not in used:
            reason = f"no link of this graph has class {name!r}"
            raise SettingError(("classes", name), reason, field="classes")
    for name in sorted(links, key=lambda name: len(parse_directions(name)), reverse=True):
        for way in parse_directions(name):
            table[way] = _merged(("links", name), table[way], links[name])
    return table


def _attributes_of(graph: "nx.Graph[int]", u: int, v: int) -> str:
    """The place of an error. Names take time in proportion to the graph, so only errors ask for it."""
    return f"attributes of link {topologies.link_title(graph, u, v)}"


def _merged(
    keys: tuple[str, ...], link: LinkSettings, override: LinkOverride, place: Callable[[], str] | None = None
) -> LinkSettings:
    try:
        return link.overridden(override)
    except ValueError as error:
        field = f"{keys[0]} {keys[1]!r}" if place is None else place()
        raise SettingError(keys, str(error), field=field) from None


def _override(place: Callable[[], str], own: dict[str, Any]) -> LinkOverride:
    """The settings among an edge's attributes."""
    for name, value in own.items():
        if isinstance(value, str):
            own[name] = _read(place, name, value)
    try:
        return LinkOverride.model_validate(own)
    except ValidationError as error:
        _, message, first = first_error(error)
        raise SettingError((), f"{place()}: {first['loc'][0]}: {message}") from None


def _read(place: Callable[[], str], name: str, text: str) -> Any:
    """GraphML has no nested values, and files may have numbers as text: all is written as in a study file."""
    try:
        return yaml_text.load(text)
    except yaml_text.YamlError:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise SettingError((), f"{place()}: {name} = {shown!r} is not YAML") from None
