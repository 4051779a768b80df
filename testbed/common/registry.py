"""One place to extend: classes of one kind, mostly of settings, found by their names.

A kind of thing (learners, environments, faults, ...) has a base class of settings and a ``Registry``. To add
one is to write one module in the registry's package, with a subclass of the base that has a literal ``name``.
Other people's packages name theirs in an entry point of the registry's group:

    [project.entry-points."consensus_testbed.learners"]
    my_learner = "my_package.my_learner:MyLearnerSettings"

Classes that are no settings have a class attribute ``name``; see ``testbed.common.registered_names``.

An annotation ``Annotated[Base, registry]`` of a field makes its validator and its JSON Schema from whatever
is registered by then. Nothing is imported before the first look, so modules may import each other's bases.
"""

import typing
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from testbed.common.errors import PluginError, first_line

BaseT = TypeVar("BaseT")

GROUP = "consensus_testbed"
"""Prefix of the groups of entry points."""


class Registry(Generic[BaseT]):
    """The classes of one kind.

    Args:
        kind: what they are, in the plural: also the name of the group of entry points.
        base: what all of them are subclasses of.
        package: in whose modules (not those of packages within) the built-in ones are.
        tag: the field whose one literal value is the name (of a class that is no model, the class attribute);
            None if settings are told apart by a key that only they have, their first field without a default:
            its name is the name then.
        default: the name where none is given; or what finds it from the mapping that was given.
        by_name: whether text stands for the settings of that name, with the defaults of the rest.
    """

    def __init__(
        self,
        kind: str,
        base: type[BaseT],
        package: str,
        *,
        tag: str | None = "name",
        default: str | Callable[[Mapping[str, Any]], str] | None = None,
        by_name: bool = False,
    ) -> None:
        self.kind, self.base, self.package, self.tag, self._default = kind, base, package, tag, default
        self.by_name = by_name
        self._builtin_loaded = self._plugins_loaded = False

    @property
    def group(self) -> str:
        """Group of the entry points by which other packages add theirs."""
        return f"{GROUP}.{self.kind}"

    def builtin(self) -> dict[str, type[BaseT]]:
        """Those that come with the testbed, by name."""
        self._load_builtin()
        return {name: each for name, each in self._subclasses().items() if self._is_builtin(each)}

    def members(self) -> dict[str, type[BaseT]]:
        """All of them by name: built-in ones first, each in the order of their names except for the default.

        Raises:
            PluginError: an entry point cannot be loaded, is no subclass of the base, or two share a name.
        """
        self._load_builtin()
        if not self._plugins_loaded:
            for point in sorted(metadata.entry_points(group=self.group), key=lambda each: each.name):
                self._load(point)
            self._plugins_loaded = True

        def order(item: tuple[str, type[BaseT]]) -> tuple[bool, bool, str]:
            name, each = item
            return not self._is_builtin(each), name != self._default, name

        return dict(sorted(self._subclasses().items(), key=order))

    def completed(self, given: Any) -> Any:
        """A mapping with the default name if it has none; anything else as it is.

        Text becomes a mapping with this name where that is allowed (``by_name``).
        """
        if self.by_name and self.tag is not None and isinstance(given, str):
            return {self.tag: given}
        if self.tag is None or not isinstance(given, Mapping) or self.tag in given or self._default is None:
            return given
        name = self._default if isinstance(self._default, str) else self._default(given)
        return {self.tag: name, **given}

    def chosen(self, given: Mapping[str, Any]) -> type[BaseT] | None:
        """The settings class that a mapping is for, by its name or by a key that only that class has."""
        members = self.members()
        if self.tag is not None:
            return members.get(str(self.completed(given).get(self.tag)))
        return next((each for name, each in members.items() if name in given), None)

    def _load_builtin(self) -> None:
        if not self._builtin_loaded:
            for module in iter_modules(import_module(self.package).__path__):
                import_module(f"{self.package}.{module.name}")
            self._builtin_loaded = True

    def _is_builtin(self, kind: type[BaseT]) -> bool:
        return kind.__module__.partition(".")[0] == self.package.partition(".")[0]

    def _load(self, point: metadata.EntryPoint) -> None:
        where = f"entry point {point.name!r} of {point.group}"
        if point.dist is not None:
            where += f" ({point.dist.name} {point.dist.version})"
        try:
            found = point.load()
        except Exception as error:
            raise PluginError(f"{where}: cannot be loaded: {first_line(error)}") from error
        if not (isinstance(found, type) and issubclass(found, self.base) and _name(found, self.tag)):
            raise PluginError(
                f"{where}: {point.value} must be a subclass of {self.base.__module__}.{self.base.__name__}"
                f" with a {'field without a default' if self.tag is None else f'literal {self.tag!r}'}"
            )

    def _subclasses(self) -> dict[str, type[BaseT]]:
        found: dict[str, type[BaseT]] = {}
        waiting = list(self.base.__subclasses__())
        while waiting:
            each = waiting.pop(0)
            waiting += each.__subclasses__()
            if (name := _name(each, self.tag)) is None:
                continue
            other = found.setdefault(name, each)
            if other is not each:
                places = " and ".join(f"{one.__module__}.{one.__qualname__}" for one in (other, each))
                raise PluginError(f"{self.kind}: two are named {name!r}: {places}")
        return found

    # --- for pydantic ------------------------------------------------------------------------------------

    def _validated(self, value: Any) -> Any:
        if isinstance(value, self.base):
            return value
        given = self.completed(value)
        if not isinstance(given, Mapping):
            if self.by_name:
                names = ", ".join(self.members())
                reason = "must be a name ({names}) or a mapping of keys to values"
                raise PydanticCustomError("name_or_mapping", reason, {"names": names})
            raise PydanticKnownError("model_attributes_type")
        if self.tag is None:
            kind: Any = self.chosen(given) or self.members()[str(self._default)]
            return kind.model_validate(given)
        if self.tag not in given:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": repr(self.tag)})
        members: Mapping[str, Any] = self.members()
        name = given[self.tag]
        if not isinstance(name, str) or name not in members:
            context = {
                "discriminator": repr(self.tag),
                "tag": str(name),
                "expected_tags": ", ".join(map(repr, members)),
            }
            raise PydanticKnownError("union_tag_invalid", context)
        return members[name].model_validate(given)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validated)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        members: Mapping[str, Any] = self.members()
        choices = {name: _with_reference(each) for name, each in members.items()}
        if self.tag is None:
            return handler(core_schema.union_schema(list(choices.values())))
        tagged = core_schema.tagged_union_schema(choices, discriminator=self.tag)
        if not self.by_name:
            return handler(tagged)
        names = [name for name, each in members.items() if _named_alone(each, self.tag)]
        return handler(core_schema.union_schema([core_schema.literal_schema(names), tagged]))


def _named_alone(kind: type[BaseModel], tag: str) -> bool:
    """Whether settings need nothing but their name."""
    try:
        kind.model_validate({tag: _name(kind, tag)})
    except ValidationError:
        return False
    return True


def _with_reference(kind: type[BaseModel]) -> Any:
    """The core schema of a model, marked so that its JSON Schema becomes a definition of its own."""
    schema: Any = kind.__pydantic_core_schema__
    mark = {"ref": f"{kind.__module__}.{kind.__qualname__}:{id(kind)}"}
    if schema["type"] == "definitions":  # those of what it is made of
        return {**schema, "schema": {**mark, **schema["schema"]}}
    return {**mark, **schema}


def _name(kind: type[Any], tag: str | None) -> str | None:
    """The name of a class; None for one that is only there to be derived from."""
    if not issubclass(kind, BaseModel):
        own = vars(kind).get(tag or "name")
        return own if isinstance(own, str) else None
    if tag is None:
        needed = ((field.alias or name) for name, field in kind.model_fields.items() if field.is_required())
        return next(needed, None)
    field = kind.model_fields.get(tag)
    if field is None or typing.get_origin(field.annotation) is not typing.Literal:
        return None
    names = typing.get_args(field.annotation)
    return str(names[0]) if len(names) == 1 else None


def registry_of(entry: Any) -> Registry[Any] | None:
    """The registry that a field, or an annotation, takes its settings from, if it does."""
    parts = entry.metadata if isinstance(entry, FieldInfo) else getattr(entry, "__metadata__", ())
    return next((part for part in parts if isinstance(part, Registry)), None)
