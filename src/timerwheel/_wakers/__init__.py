"""What wakes each reactor when its earliest delayed call is due: neither early, nor spinning.

A reactor that asks `timeout()` before each wait needs at most another way to
wait. One that another event loop drives has to hear when the earliest deadline
moves sooner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from timerwheel._reactor_modules import WAKERS
from timerwheel._wakers._waker import Waker

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase


def waker_for(reactor: ReactorBase) -> Waker:
    """The waker for a reactor, by its class. Those that wait precisely by themselves need none."""
    for base in type(reactor).__mro__:
        if base.__module__ in WAKERS:
            module = import_module(f"timerwheel._wakers.{WAKERS[base.__module__]}")
            waker: Waker = module.make(reactor)
            return waker
    return Waker(reactor)
