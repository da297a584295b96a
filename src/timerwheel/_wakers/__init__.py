"""What wakes each reactor when its earliest delayed call is due: neither early, nor spinning.

A reactor that asks `timeout()` before each wait needs at most another way to
wait. One that another event loop drives has to hear when the earliest deadline
moves sooner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timerwheel._reactor_modules import WAKERS
from timerwheel._wakers import (
    alarm,
    asyncio,
    corefoundation,
    glib,
    milliseconds,
    reader,
    select,
    threaded,
)
from timerwheel._wakers._waker import Waker

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase

# All are imported before a reactor is made, which may take the last descriptors.
_MODULES = {
    module.__name__.rpartition(".")[2]: module
    for module in (alarm, asyncio, corefoundation, glib, milliseconds, select, threaded)
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
        if base.__module__ in WAKERS:
            return _MODULES[WAKERS[base.__module__]]
    return reader if reader.suits(reactor) else None
