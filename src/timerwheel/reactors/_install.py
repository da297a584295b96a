"""Install a reactor as the one that programs import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from timerwheel._core import review_immortality

_REACTOR = "twisted.internet.reactor"


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


def installer(make: Callable[[], Any]) -> Callable[[], None]:
    """What a module of one reactor has as `install()`."""

    def install() -> None:
        """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
        install_reactor(make)

    return install


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
