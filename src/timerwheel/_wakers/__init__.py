"""Wake each reactor at its earliest deadline, neither early nor spinning.

A reactor that calls `timeout()` before each wait needs at most another way to wait. If another
event loop drives the reactor, the waker must tell that loop when the earliest deadline moves
sooner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from timerwheel._reactors import WAKERS
from timerwheel._wakers import reader
from timerwheel._wakers._waker import Waker

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase

# All are imported before a program makes a reactor, which may take the last descriptors.
_MODULES = {
    methods_module: import_module(f"{__name__}.{waker}") for methods_module, waker in WAKERS.items()
}


def waker_for(reactor: ReactorBase) -> Waker:
    """The waker for a reactor. Twisted's that wait precisely by themselves need none."""
    module = _module_for(reactor)
    waker: Waker = Waker(reactor) if module is None else module.make(reactor)
    return waker


def needs_of(reactor: ReactorBase) -> tuple[str, ...]:
    """The private attributes of the reactor that its waker uses."""
    module = _module_for(reactor)
    needs: tuple[str, ...] = () if module is None else module.NEEDS
    return needs


def _module_for(reactor: ReactorBase) -> Any:
    for base in type(reactor).__mro__:
        if base.__module__ in _MODULES:
            return _MODULES[base.__module__]
    return reader if reader.suits(reactor) else None
