"""The Windows event reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.win32eventreactor import Win32Reactor as _Win32Reactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["Win32Reactor", "install"]


class Win32Reactor(WheelReactor, _Win32Reactor):
    __doc__ = _Win32Reactor.__doc__


make = Win32Reactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
