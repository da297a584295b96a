"""The name of a function, and where it is defined. Nothing here runs the program's code."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple

from timerwheel._core import target_of

# (A metaclass may override these.)
_namespace_of = type.__dict__["__dict__"].__get__
_bases_of = type.__dict__["__mro__"].__get__
_module_of = type.__dict__["__module__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__


class FunctionName(NamedTuple):
    """A function and where it is defined. file and line are None if it is not a Python function.

    As a string it is one line, with unprintable characters escaped.
    """

    name: str
    file: str | None
    line: int | None

    def __str__(self) -> str:
        return printable(
            self.name if self.file is None else f"{self.name} ({self.file}:{self.line})"
        )


def printable(text: str) -> str:
    """A text with unprintable characters escaped: safe for logs, terminals and UTF-8."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def describe(target: Any) -> FunctionName:
    """The name of a function that `timerwheel._core.target_of` found.

    A callable instance has the name of its type. None stands for all functions beyond the ones that
    a watch counts separately.
    """
    if target is None:
        return FunctionName("(others)", None, None)
    kind = type(target)
    if kind is FunctionType:
        code = target.__code__
        name = _joined(target.__module__, target.__qualname__)
        return FunctionName(name, code.co_filename, code.co_firstlineno)
    if kind is BuiltinFunctionType:
        return FunctionName(_joined(target.__module__, target.__qualname__), None, None)
    if issubclass(kind, type):
        return FunctionName(_joined(_module_of(target), _qualname_of(target)), None, None)
    call = _call_of(kind)
    return describe(call if type(call) is FunctionType else kind)


def describe_call(call: Any) -> FunctionName:
    """The name of the function that a timed call calls, or called."""
    return describe(target_of(getattr(call, "func", None)))


def _call_of(kind: type) -> Any:
    """The `__call__` of a type, as its class defines it."""
    for base in _bases_of(kind):
        if "__call__" in _namespace_of(base):
            return _namespace_of(base)["__call__"]
    return None


def _joined(module: Any, name: str) -> str:
    """`module.name`, or `name` if a built-in has no module."""
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name
