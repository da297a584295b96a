"""Twisted's modules in whose classes methods of ours stand, and what wakes the reactors of each.

A waker is named by its module in `timerwheel._wakers`. A reactor that waits precisely by
itself (kqueue) needs none, and has no methods of its own to replace.
"""

from __future__ import annotations

from typing import Any

from timerwheel._core import Method

WAKERS = {
    "twisted.internet._glibbase": "glib",
    "twisted.internet._threadedselect": "threaded",
    "twisted.internet.asyncioreactor": "asyncio",
    "twisted.internet.cfreactor": "corefoundation",
    "twisted.internet.epollreactor": "alarm",
    "twisted.internet.iocpreactor.reactor": "milliseconds",
    "twisted.internet.pollreactor": "alarm",
    "twisted.internet.selectreactor": "select",
    "twisted.internet.win32eventreactor": "milliseconds",
}

REACTOR_MODULES = frozenset({"twisted.internet.base", *WAKERS})


def twisteds(reactor_class: type, name: str) -> Any:
    """Twisted's function in whose place a method of ours stands; else what the class has."""
    for base in reactor_class.__mro__:
        if base.__module__ in REACTOR_MODULES and name in vars(base):
            function = vars(base)[name]
            return function.__wrapped__ if isinstance(function, Method) else function
    return getattr(reactor_class, name)
