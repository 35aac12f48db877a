"""Settings that note which of them are read: what a report was made with, and what it has nothing to do with."""

from __future__ import annotations

import inspect
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, cast

from pmo_lib.parameters.models import Model, Organisation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WHOLE = "*"


def traced(settings: Organisation) -> Organisation:
    """Return settings that behave as these and note the dotted name of each one that is read, see :func:`noted`.

    What cannot be told apart (a comparison, a dump) counts as a reading of all that it could see.
    """
    return cast("Organisation", _Traced(settings, noted=set(), path=""))


def noted(settings: Organisation) -> list[str]:
    """Return the names of the settings that were read; of settings that note nothing, all."""
    return settings.read_so_far() if isinstance(settings, _Traced) else [WHOLE]


def picked(values: Mapping[str, Any], *, names: Iterable[str]) -> dict[str, Any]:
    """Return settings by dotted name out of all of them as plain JSON values; null for a name that there is not."""
    return {name: values if name == WHOLE else _at(values, name=name) for name in sorted(names)}


def _at(values: Mapping[str, Any], *, name: str) -> Any:
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


class _Traced:
    """A model in its place below the settings; methods and properties of its class see the traced one, too."""

    def __init__(self, model: Model, *, noted: set[str], path: str) -> None:
        self.__model, self.__noted, self.__path = model, noted, path

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__model, name)
        if name in type(self.__model).model_fields:
            path = f"{self.__path}.{name}".lstrip(".")
            if isinstance(value, Model):
                return _Traced(value, noted=self.__noted, path=path)
            self.__noted.add(path)
            return value
        own = inspect.getattr_static(type(self.__model), name, None)
        ours = any(name in vars(kind) for kind in type(self.__model).__mro__ if issubclass(kind, Model))
        if ours and isinstance(own, property) and own.fget is not None:
            return own.fget(self)
        if ours and isinstance(own, FunctionType):
            return MethodType(own, self)
        self.__whole()
        return value

    def laid_under(self, others: Mapping[str, object]) -> Model:
        """Return the model with other values laid over its own; what is read of it is a reading of this one."""
        return cast("Model", _Traced(self.__model.laid_under(others), noted=self.__noted, path=self.__path))

    def read_so_far(self) -> list[str]:
        """Return the names that were noted, in order."""
        return sorted(self.__noted)

    def __eq__(self, other: object) -> bool:
        self.__whole()
        return bool(self.__model == (other.__model if isinstance(other, _Traced) else other))

    def __hash__(self) -> int:
        self.__whole()
        return hash(self.__model)

    def __repr__(self) -> str:
        self.__whole()
        return repr(self.__model)

    def __whole(self) -> None:
        self.__noted.add(self.__path or WHOLE)
