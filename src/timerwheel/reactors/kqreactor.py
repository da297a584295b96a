"""The kqueue(2) reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.kqreactor import KQueueReactor as _KQueueReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["KQueueReactor", "install"]


class KQueueReactor(WheelReactor, _KQueueReactor):
    __doc__ = _KQueueReactor.__doc__


make = KQueueReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
