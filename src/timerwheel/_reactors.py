"""The table of Twisted's reactors: what each is called, where it is, what wakes it on time.

What has to agree about them is made from this table, or tested against it: the names that
`install()` takes, the modules of `timerwheel.reactors`, the classes in which methods of ours
stand, the wakers, the plugin's short names.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

ReactorName = Literal[
    "default",
    "asyncio",
    "cf",
    "epoll",
    "gi",
    "glib2",
    "gtk3",
    "iocp",
    "kqueue",
    "poll",
    "select",
    "threadedselect",
    "win32",
    "wx",
]
"""What `install` takes: "default" for Twisted's choice on this platform, or a reactor's name."""


class Reactor(NamedTuple):
    """One of Twisted's reactors."""

    module: str
    """Twisted's in `twisted.internet`, and ours in `timerwheel.reactors`."""

    waker: str | None = None
    """What wakes it, a module of `timerwheel._wakers`; None if it waits precisely by itself."""

    methods: str | None = None
    """If another, the module in `twisted.internet` whose methods the waker replaces."""

    @property
    def methods_module(self) -> str:
        """The full name of the module of that class."""
        return f"twisted.internet.{self.methods or self.module}"


REACTORS = {
    "asyncio": Reactor("asyncioreactor", "asyncio"),
    "cf": Reactor("cfreactor", "corefoundation"),
    "epoll": Reactor("epollreactor", "alarm"),
    "gi": Reactor("gireactor", "glib", "_glibbase"),
    "glib2": Reactor("glib2reactor", "glib", "_glibbase"),
    "gtk3": Reactor("gtk3reactor", "glib", "_glibbase"),
    "iocp": Reactor("iocpreactor", "milliseconds", "iocpreactor.reactor"),
    "kqueue": Reactor("kqreactor"),
    "poll": Reactor("pollreactor", "alarm"),
    "select": Reactor("selectreactor", "select"),
    "threadedselect": Reactor("_threadedselect", "threaded"),
    "win32": Reactor("win32eventreactor", "milliseconds"),
    "wx": Reactor("wxreactor", "threaded", "_threadedselect"),
}
"""Twisted's reactors, by Twisted's short names."""

NAMES = ("default", *REACTORS)
"""What `install` takes at run time."""

WAKERS = {
    reactor.methods_module: reactor.waker
    for reactor in REACTORS.values()
    if reactor.waker is not None
}
"""The wakers, by the modules of the classes whose methods they replace."""

METHODS_MODULES = frozenset({"twisted.internet.base", *WAKERS})
"""The modules in whose classes methods of ours stand."""
