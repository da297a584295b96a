"""The epoll(7) reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.epollreactor import EPollReactor as _EPollReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["EPollReactor", "install"]


class EPollReactor(WheelReactor, _EPollReactor):
    __doc__ = _EPollReactor.__doc__


make = EPollReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
