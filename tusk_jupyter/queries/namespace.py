"""What a parameter's expression stands for in Python, as a plain value.

Expressions are looked up step by step, never evaluated: no calls, no operators, no private attributes, so a cell can
read what the notebook holds and do nothing with it. NumPy, pandas, Arrow and Polars are recognised by what their
objects offer, never imported. Missing is NULL: ``None``, ``NA``, ``NaT``, and a NaN that stands in a pandas container,
where it means missing; a float NaN and one in a NumPy array is PostgreSQL's NaN.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import KeysView, Mapping, ValuesView
from enum import Enum
from math import isnan
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import BindingError

if TYPE_CHECKING:
    from tusk_jupyter.queries.placeholders import Placeholder, Step

_SEQUENCES = (list, tuple, set, frozenset, range, deque, KeysView, ValuesView)
_LISTED = ("to_pylist", "tolist", "to_list")
_BYTES = (bytes, bytearray, memoryview)
_TABLES = frozenset({"DataFrame", "LazyFrame", "Table", "RecordBatch"})
_FRAMEWORKS = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_CALLABLES = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType, type)
_NO_CALLS = "A parameter is looked up, never called: compute the value in Python first, and name the variable here."


def resolve(root: object, placeholder: Placeholder) -> Any:
    """Return the plain value that ``placeholder.expression`` has in ``root``, the value of its first name.

    :raises BindingError: when a step leads nowhere, or to something that is no value.
    """
    value, spelled = root, placeholder.name
    for step in placeholder.steps:
        value = _follow(value, step, spelled, placeholder)
        spelled += str(step)
    try:
        value = plain(value)
    except RecursionError:
        raise _error(placeholder, f"parameter {spelled!r} is nested too deeply, or contains itself") from None
    except Exception as error:
        raise _error(placeholder, f"parameter {spelled!r} cannot be read: {_said(error)}") from error
    if isinstance(value, _CALLABLES):
        raise _error(placeholder, f"parameter {spelled!r} is a {type(value).__name__}, not a value", advice=_NO_CALLS)
    if type(value).__name__ in _TABLES and _framework(value):
        advice = f"Bind one column, for example :{spelled}['column'], or load the table with %tusk load."
        raise _error(placeholder, f"parameter {spelled!r} is a {type(value).__name__}, not a value", advice=advice)
    return value


def plain(value: Any) -> Any:
    """Return ``value`` with what merely wraps it taken off: enums, missing values, array-likes as lists of such."""
    if value is None or type(value) in {str, int, float, bool, bytes}:
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if _is_missing(value):
        return None
    if not is_array(value):
        return plain(value.as_py()) if _framework(value) == "pyarrow" and hasattr(value, "as_py") else value
    items = _items(value)
    if _framework(value) == "pandas":
        items = [None if isinstance(item, float) and isnan(item) else item for item in items]
    return [plain(item) for item in items]


def is_array(value: object) -> bool:
    """Tell whether ``value`` binds as an array; a named tuple does not, it is a composite value."""
    if isinstance(value, _SEQUENCES):
        return not hasattr(value, "_fields")
    if isinstance(value, (str, Mapping, type, *_BYTES)) or type(value).__name__ in _TABLES:
        return False
    # a NumPy scalar has tolist() too, and no dimension
    return any(hasattr(value, method) for method in _LISTED) and getattr(value, "ndim", 1) != 0


def _items(value: Any) -> list[Any]:
    if isinstance(value, _SEQUENCES):
        return list(value)
    if _framework(value) == "numpy" and value.dtype.kind in "mM":
        # tolist() of nanoseconds is bare integers; PostgreSQL keeps microseconds
        items = value.astype(f"{value.dtype.kind}8[us]").tolist()
        if not _holds_integers(items):
            return list(items)
        raise ValueError("a date or duration in it is beyond what Python's datetime holds")
    method = next(method for method in _LISTED if hasattr(value, method))
    return list(getattr(value, method)())


def _holds_integers(items: Any) -> bool:
    return any(map(_holds_integers, items)) if isinstance(items, list) else isinstance(items, int)


def _is_missing(value: Any) -> bool:
    name, framework = type(value).__name__, _framework(value)
    if framework == "pandas":
        return name in {"NAType", "NaTType"}
    return framework == "numpy" and name in {"datetime64", "timedelta64"} and str(value) == "NaT"


def _framework(value: object) -> str:
    module = type(value).__module__.partition(".")[0]
    return module if module in _FRAMEWORKS else ""


def _follow(value: Any, step: Step, spelled: str, placeholder: Placeholder) -> Any:
    if step.attribute and str(step.key).startswith("_"):
        raise _error(
            placeholder, f"parameter {spelled + str(step)!r} names a private attribute, which is not looked up"
        )
    try:
        if step.attribute and not isinstance(value, Mapping):
            return getattr(value, str(step.key))
        return value[step.key]
    except Exception as error:
        kind = type(value).__name__
        message = f"parameter {spelled!r} is a {kind} and has no {step}: {_said(error)}"
        advice = f'For a qualified name, give :"{placeholder.name}" a tuple.' if step.attribute else None
        raise _error(placeholder, message, advice=advice) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]


def _error(placeholder: Placeholder, message: str, *, advice: str | None = None) -> BindingError:
    return BindingError(message, name=placeholder.expression, position=placeholder.start + 1, advice=advice)
