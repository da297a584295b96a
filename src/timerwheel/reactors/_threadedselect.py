"""The threaded select reactor, for foreign event loops, with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet._threadedselect import ThreadedSelectReactor as _ThreadedSelectReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["ThreadedSelectReactor", "install"]


class ThreadedSelectReactor(WheelReactor, _ThreadedSelectReactor):
    __doc__ = _ThreadedSelectReactor.__doc__


make = ThreadedSelectReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
