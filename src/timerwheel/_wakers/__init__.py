"""What wakes each reactor when its earliest delayed call is due: neither early, nor spinning.

A reactor that asks `timeout()` before each wait needs at most another way to
wait. One that another event loop drives has to hear when the earliest deadline
moves sooner.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from timerwheel._wakers import alarm, asyncio, corefoundation, glib, milliseconds, threaded
from timerwheel._wakers._waker import Waker

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase

# By the module of the reactor's class in Twisted, or that of a base of it. (All are imported
# already: a reactor may have taken the last descriptors.)
_MODULES: dict[str, ModuleType] = {
    "twisted.internet._glibbase": glib,
    "twisted.internet._threadedselect": threaded,
    "twisted.internet.asyncioreactor": asyncio,
    "twisted.internet.cfreactor": corefoundation,
    "twisted.internet.epollreactor": alarm,
    "twisted.internet.iocpreactor.reactor": milliseconds,
    "twisted.internet.pollreactor": alarm,
    "twisted.internet.win32eventreactor": milliseconds,
}


def waker_for(reactor: ReactorBase) -> Waker:
    """The waker for a reactor, by its class. Those that wait precisely by themselves need none."""
    for base in type(reactor).__mro__:
        if base.__module__ in _MODULES:
            waker: Waker = _MODULES[base.__module__].make(reactor)
            return waker
    return Waker(reactor)
