"""The select(2) reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.selectreactor import SelectReactor as _SelectReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["SelectReactor", "install"]


class SelectReactor(WheelReactor, _SelectReactor):
    __doc__ = _SelectReactor.__doc__


make = SelectReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
