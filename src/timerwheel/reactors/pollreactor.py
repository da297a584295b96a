"""The poll(2) reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.pollreactor import PollReactor as _PollReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["PollReactor", "install"]


class PollReactor(WheelReactor, _PollReactor):
    __doc__ = _PollReactor.__doc__


make = PollReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
