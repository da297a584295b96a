"""Choose a reactor by name, make it with the wheel inside, and install it."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from timerwheel._core import SteadyClock
from timerwheel._reactors import NAMES, REACTORS, ReactorName


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
    _module_of(name).install()
    if clock == "steady":
        from twisted.internet import reactor

        installed: Any = reactor
        installed.seconds = SteadyClock()


def _module_of(name: str) -> ModuleType:
    """The module of `timerwheel.reactors` that has the reactor of this name."""
    from twisted.application.reactors import NoSuchReactor

    if name == "default":
        name = _default_name()
    if name not in REACTORS:
        raise NoSuchReactor(unknown(name))
    try:
        return import_module(f"timerwheel.reactors.{REACTORS[name].module}")
    except ImportError as error:
        raise ImportError(
            f"the {name} reactor is not available on this platform or lacks a package ({error}). "
            'Choose another: timerwheel.install() takes the default, and "select" runs everywhere'
        ) from error


def unknown(name: str) -> str:
    """What is wrong with a name that is no reactor's, in words."""
    similar = get_close_matches(str(name).removeprefix("timerwheel-"), NAMES, n=1)
    advice = f" Did you mean {similar[0]!r}?" if similar else ""
    return f"{name!r} is no reactor's short name.{advice} Known are {', '.join(NAMES)}"


def _default_name() -> str:
    """The short name of Twisted's default reactor here."""
    from twisted.internet import default

    module = default.install.__module__.rpartition(".")[2]
    for name, reactor in REACTORS.items():
        if reactor.module == module:
            return name
    raise ImportError(
        f"Twisted's default reactor here is in {default.install.__module__}, which this timerwheel "
        "does not know. Install it as Twisted does, then call timerwheel.accelerate(reactor)"
    )
