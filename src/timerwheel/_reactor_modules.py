"""Twisted's modules in whose classes methods of ours stand, and what wakes the reactors of each.

A waker is named by its module in `timerwheel._wakers`. Reactors that wait precisely by
themselves (select, kqueue) need none, and have no methods of their own to replace.
"""

WAKERS = {
    "twisted.internet._glibbase": "glib",
    "twisted.internet._threadedselect": "threaded",
    "twisted.internet.asyncioreactor": "asyncio",
    "twisted.internet.cfreactor": "corefoundation",
    "twisted.internet.epollreactor": "alarm",
    "twisted.internet.iocpreactor.reactor": "milliseconds",
    "twisted.internet.pollreactor": "alarm",
    "twisted.internet.win32eventreactor": "milliseconds",
}

REACTOR_MODULES = frozenset({"twisted.internet.base", *WAKERS})
