"""Choose a reactor by name, make it with the wheel inside, and install it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from timerwheel._core import SteadyClock, review_immortality

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
"""What `install` takes."""

_REACTOR = "twisted.internet.reactor"

# Twisted's short names, and the module in timerwheel.reactors of each.
MODULES = {
    "asyncio": "asyncioreactor",
    "cf": "cfreactor",
    "epoll": "epollreactor",
    "gi": "gireactor",
    "glib2": "glib2reactor",
    "gtk3": "gtk3reactor",
    "iocp": "iocpreactor",
    "kqueue": "kqreactor",
    "poll": "pollreactor",
    "select": "selectreactor",
    "threadedselect": "_threadedselect",
    "win32": "win32eventreactor",
    "wx": "wxreactor",
}


def install(name: ReactorName = "default", *, clock: Literal["wall", "steady"] = "wall") -> None:
    """Install a reactor whose delayed calls are on the wheel.

    Call it before anything imports `twisted.internet.reactor`. name is one of Twisted's short names
    ("epoll", "poll", "select", "asyncio", "kqueue", "gi", ...) or "default" for Twisted's choice on
    this platform. clock is "wall", as in Twisted, or "steady": then `reactor.seconds()` starts from
    the wall time and follows the monotonic clock, so that no step of the wall clock makes a timer
    late or early.

    Raises ReactorAlreadyInstalledError if there is a reactor, NoSuchReactor (a KeyError) for an
    unknown name, ImportError if the reactor is not available here, ValueError for an unknown clock.
    If the installed Twisted lacks a name that the wheel needs, this installs the reactor with
    Twisted's own timers, and a RuntimeWarning gives the name.
    """
    if clock not in ("wall", "steady"):
        raise ValueError(f'clock is "wall" or "steady", not {clock!r}')
    reactor = install_reactor(_installer(name))
    if clock == "steady":
        reactor.seconds = SteadyClock()


def install_reactor(make: Callable[[], Any]) -> Any:
    """Install the reactor that make() returns; return it. Raises ReactorAlreadyInstalledError."""
    from twisted.internet.error import ReactorAlreadyInstalledError
    from twisted.internet.main import installReactor

    installed = sys.modules.get(_REACTOR)
    if installed is not None:
        raise ReactorAlreadyInstalledError(
            f"reactor already installed: {type(installed).__name__}{_importer(installed)}. Install "
            "timerwheel's before anything imports twisted.internet.reactor, or put the wheel into "
            "the one that is installed: timerwheel.accelerate(reactor), on a command line "
            "--reactor=timerwheel-accelerate"
        )
    reactor = make()
    installReactor(reactor)  # type: ignore[no-untyped-call]
    review_immortality()
    return reactor


def _importer(installed: Any) -> str:
    """Who imported this reactor, in words; empty if it does not show.

    `sys.modules` has modules in the order in which their import ended, the reactor among them. The
    first after it that keeps it is named. If there is none, the import that did so is under way:
    the last one before it.
    """
    names = list(sys.modules)
    position = names.index(_REACTOR)
    for name in names[position + 1 :] + names[:position][::-1]:
        if name != "twisted.internet" and _keeps(sys.modules.get(name), installed):
            return f", imported by {name}"
    return ""


def _keeps(module: object, installed: object) -> bool:
    """Whether a module has the reactor under a name."""
    if not isinstance(module, ModuleType):
        return False
    try:
        # (Not vars(): that would load a module that is loaded lazily.)
        values = list(object.__getattribute__(module, "__dict__").values())
    except AttributeError:  # cffi's have no dict
        return False
    return any(value is installed for value in values)


def _installer(name: str) -> Callable[[], Any]:
    """What makes the reactor of this name."""
    from twisted.application.reactors import NoSuchReactor

    if name == "default":
        name = _default_name()
    if name not in MODULES:
        raise NoSuchReactor(unknown(name))
    try:
        module = import_module(f"timerwheel.reactors.{MODULES[name]}")
    except ImportError as error:
        raise ImportError(
            f"the {name} reactor is not available on this platform or lacks a package ({error}). "
            'Choose another: timerwheel.install() takes the default, and "select" runs everywhere'
        ) from error
    make: Callable[[], Any] = module.make
    return make


def unknown(name: str) -> str:
    """What is wrong with a name that is no reactor's, in words."""
    names = ["default", *MODULES]
    similar = get_close_matches(str(name).removeprefix("timerwheel-"), names, n=1)
    advice = f" Did you mean {similar[0]!r}?" if similar else ""
    return f"{name!r} is no reactor's short name.{advice} Known are {', '.join(names)}"


def _default_name() -> str:
    """The short name of Twisted's default reactor here."""
    from twisted.internet import default

    module = default.install.__module__.rpartition(".")[2]
    for name, known in MODULES.items():
        if known == module:
            return name
    raise ImportError(
        f"Twisted's default reactor here is in {default.install.__module__}, which this timerwheel "
        "does not know. Install it as Twisted does, then call timerwheel.accelerate(reactor)"
    )
