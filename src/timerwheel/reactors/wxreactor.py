"""The wxPython reactor with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.wxreactor import WxReactor as _WxReactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["WxReactor", "install"]


class WxReactor(WheelReactor, _WxReactor):
    __doc__ = _WxReactor.__doc__


make = WxReactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
