"""Converts frozen dataclasses to JSON and back, exactly.

NaN becomes ``null`` (JSON has no NaN) and is read as NaN wherever a float is expected. Types come from the annotations,
so a result class is its own schema.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from privaudit.errors import ResultError

T = TypeVar("T")


def encode(value: Any) -> Any:  # noqa: ANN401 - any JSON-like value
    """Turn dataclasses, mappings, tuples, paths and numbers into values that `json.dump` accepts.

    Returns:
        Dictionaries, lists, strings, numbers, booleans and None.

    Raises:
        ResultError: A value has no exact form in JSON.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: encode(getattr(value, part.name)) for part in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None
        raise ResultError(f"expected finite numbers or NaN in a result, got {value}")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ResultError(f"expected plain values in a result, got {type(value).__name__}: {value!r}")


def decode(kind: type[T], value: Any, where: str = "report") -> T:  # noqa: ANN401
    """Build a dataclass from the output of `encode`.

    Returns:
        An instance of ``kind``.

    Raises:
        ResultError: A key is missing, a value has the wrong type, or the class rejects it; the message says where.
    """
    decoded: T = _decode(kind, value, where)
    return decoded


def _decode(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        kinds = [argument for argument in arguments if argument is not type(None)]
        if len(kinds) > 1:
            # JSON itself distinguishes text, lists and numbers; only an int may stand for a float.
            exact = [kind for kind in kinds if _form(kind) is type(value)]
            kinds = exact or [kind for kind in kinds if (_form(kind), type(value)) == (float, int)]
        if len(kinds) != 1:
            raise ResultError(f"expected one of {', '.join(map(str, arguments))} at {where}, got {value!r}")
        return _decode(kinds[0], value, where)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, where)
    if origin is Literal:
        if value not in arguments:
            raise ResultError(f"expected one of {', '.join(map(repr, arguments))} at {where}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ResultError(f"expected a list at {where}, got {type(value).__name__}")
        # tuple[X, ...] has any length; tuple[X, Y] has as many values as types.
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise ResultError(f"expected {len(kinds)} values at {where}, got {len(value)}")
        pairs = zip(kinds, value, strict=True)
        return tuple(_decode(inner, item, f"{where}[{i}]") for i, (inner, item) in enumerate(pairs))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise ResultError(f"expected an object at {where}, got {type(value).__name__}")
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float:
        return math.nan if value is None else float(_checked(value, (int, float), where))
    if kind is Path:
        return Path(_checked(value, str, where))
    return _checked(value, kind, where)


def _form(kind: Any) -> type:  # noqa: ANN401
    """The type that an annotation has in JSON, among those that a union may hold."""
    if get_origin(kind) is tuple:
        return list
    return kind if kind in (str, int, float, bool) else dict


def _decode_dataclass(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ResultError(f"expected an object at {where}, got {type(value).__name__}")
    hints = _hints(kind)
    arguments = {}
    for part in dataclasses.fields(kind):
        if part.name in value:
            arguments[part.name] = _decode(hints[part.name], value[part.name], f"{where}.{part.name}")
        elif part.default is dataclasses.MISSING and part.default_factory is dataclasses.MISSING:
            raise ResultError(f"expected the key {part.name} at {where}, found {', '.join(map(str, value)) or 'none'}")
    try:
        return kind(**arguments)
    except ValueError as error:
        raise ResultError(f"{error}, at {where}") from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Types of the fields of a class. Cached, because the look-up takes far longer than decoding a value."""
    return get_type_hints(kind)


def _checked(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401
    wrong_bool = isinstance(value, bool) and kind is not bool  # in Python a bool is an int, in JSON it is not
    if not isinstance(value, kind) or wrong_bool:
        raise ResultError(f"expected {getattr(kind, '__name__', 'a number')} at {where}, got {value!r}")
    return value
