"""What a function is called, and where it is defined."""

from __future__ import annotations

from inspect import getattr_static
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple


class FunctionName(NamedTuple):
    """A function and where it is. file and line are None if it was not compiled from Python."""

    name: str
    file: str | None
    line: int | None

    def __str__(self) -> str:
        return self.name if self.file is None else f"{self.name} ({self.file}:{self.line})"


def describe(target: Any) -> FunctionName:
    """The name of what `timerwheel._core.target_of` found. Runs no code of the program's.

    An instance that can be called is named by its type. None stands for all functions beyond
    those that are told apart.
    """
    if target is None:
        return FunctionName("(others)", None, None)
    kind = type(target)
    if kind is FunctionType:
        code = target.__code__
        return FunctionName(_qualified(target), code.co_filename, code.co_firstlineno)
    if kind is BuiltinFunctionType or issubclass(kind, type):
        return FunctionName(_qualified(target), None, None)
    call = getattr_static(kind, "__call__", None)
    return describe(call if type(call) is FunctionType else kind)


def _qualified(named: Any) -> str:
    """`module.qualname`; what is built in may have no module."""
    module = named.__module__
    name: str = named.__qualname__
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name
