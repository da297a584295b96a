"""The hooks on a pending call while a recorder records it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from timerwheel._core import set_stand_in
from timerwheel.recording._format import Operation, microseconds

_METHODS = ("cancel", "reset", "delay")


class Hearer(Protocol):
    """Who hears what becomes of calls: a `Recorder`."""

    def ended(self, listener: Listener) -> bool:
        """Leave a call alone that is pending no more. Returns False if that was done before."""

    def began(self, timer: int) -> None:
        """A timer has expired, and its call begins."""

    def write(self, operation: Operation, timer: int = -1, amount: int = 0) -> None:
        """Write an event; nothing if the recording has ended."""


class Listener:
    """Tells a recorder the operations on one call.

    Its methods hide those of the call's class on the call, and call them. The call's function is an
    `Expiry`. (A program may keep `call.cancel` and call it later.)

    @ivar number: of the timer in the recording.
    @ivar call: the handle.
    """

    __slots__ = ("_recorder", "call", "number")

    def __init__(self, recorder: Hearer, number: int, call: Any) -> None:
        self._recorder = recorder
        self.number = number
        self.call = call

    def attach(self) -> None:
        """Begin to listen. The program's own attributes of the call stay."""
        call = self.call
        call.func = Expiry(self, call.func)
        for name in _METHODS:
            if name not in call.__dict__:
                setattr(call, name, getattr(self, name))

    def detach(self) -> None:
        """Remove the hooks from the call."""
        call = self.call
        for name in _METHODS:
            if getattr(call.__dict__.get(name), "__self__", None) is self:
                delattr(call, name)
        if type(getattr(call, "func", None)) is Expiry:
            call.func = _function_of(call.func)

    def cancel(self) -> None:
        """Cancel the call as its class does."""
        type(self.call).cancel(self.call)
        if self._recorder.ended(self):
            self._recorder.write(Operation.CANCEL, self.number)

    def reset(self, *args: Any, **kw: Any) -> None:
        """Reset the call as its class does."""
        type(self.call).reset(self.call, *args, **kw)
        self._moved(Operation.RESET, args, kw)

    def delay(self, *args: Any, **kw: Any) -> None:
        """Delay the call as its class does."""
        type(self.call).delay(self.call, *args, **kw)
        self._moved(Operation.DELAY, args, kw)

    def _moved(self, operation: Operation, args: tuple[Any, ...], kw: dict[str, Any]) -> None:
        seconds = args[0] if args else next(iter(kw.values()))
        self._recorder.write(operation, self.number, microseconds(seconds))

    def expire(self, function: Callable[..., Any], args: Any, kw: Any) -> Any:
        """Make the call."""
        # A program may itself call `call.func`.
        if not self.call.called or not self._recorder.ended(self):
            return function(*args, **kw)
        self._recorder.began(self.number)
        try:
            return function(*args, **kw)
        finally:
            self._recorder.write(Operation.DONE)


class Expiry:
    """Replaces the function of a pending call, and tells the recorder when the reactor calls it.

    Attributes, class, comparison, hash and repr are the function's.
    """

    __slots__ = ("_function", "_listener")

    def __init__(self, listener: Listener, function: Callable[..., Any]) -> None:
        self._listener = listener
        self._function = function

    def __getattribute__(self, name: str) -> Any:
        return getattr(_function_of(self), name)

    def __call__(self, *args: Any, **kw: Any) -> Any:
        listener: Listener = object.__getattribute__(self, "_listener")
        return listener.expire(_function_of(self), args, kw)

    def __eq__(self, other: object) -> bool:
        if type(other) is Expiry:
            other = _function_of(other)
        return bool(_function_of(self) == other)

    def __hash__(self) -> int:
        return hash(_function_of(self))

    def __repr__(self) -> str:
        return repr(_function_of(self))


def _function_of(expiry: Expiry) -> Any:
    return object.__getattribute__(expiry, "_function")


# With this, pending(), watch() and the page name the program's function.
set_stand_in(Expiry, _function_of)
