"""The CoreFoundation reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.cfreactor import CFReactor as _CFReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["CFReactor", "install"]


class CFReactor(WheelReactor, _CFReactor):
    __doc__ = _CFReactor.__doc__


make = CFReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
