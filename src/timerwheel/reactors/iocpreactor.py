"""The Windows I/O completion port reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.iocpreactor.reactor import IOCPReactor as _IOCPReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["IOCPReactor", "install"]


class IOCPReactor(WheelReactor, _IOCPReactor):
    __doc__ = _IOCPReactor.__doc__


make = IOCPReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
