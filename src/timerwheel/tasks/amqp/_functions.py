"""The functions of a worker, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from timerwheel.tasks.amqp._envelope import BadMessageError, Message


class RejectError(Exception):
    """Raise this in a function: the task goes to the poison queue, with this text as the reason."""


class Function(NamedTuple):
    """A function and its task options."""

    func: Callable[..., Any]
    signature: inspect.Signature | None
    options: dict[str, Any]
    counts: set[int]
    """The numbers of arguments with which a call is known to work."""


class Functions:
    """Functions by the names that messages use."""

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}

    def add(self, name: str, func: Callable[..., Any], options: dict[str, Any]) -> None:
        """Add a function. Raises ValueError if the name is taken, TypeError for a non-callable."""
        if name in self._functions:
            raise ValueError(f"the worker has a function {name!r} already")
        if not callable(func):
            raise TypeError(f"register() needs a callable, not {func!r}")
        try:
            signature = inspect.signature(func)
        except ValueError:  # some built-in functions have none
            signature = None
        self._functions[name] = Function(func, signature, options, set())

    def find(self, message: Message) -> Function:
        """The function of a message. Raises BadMessageError if none takes these arguments."""
        function = self._functions.get(message.function)
        if function is None:
            raise BadMessageError(f"unknown function {message.function!r}")
        count = len(message.args)
        if function.signature is not None and count not in function.counts:
            try:
                function.signature.bind(message, *message.args)
            except TypeError as error:
                raise BadMessageError(f"wrong arguments: {error}") from error
            function.counts.add(count)
        return function
