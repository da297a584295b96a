"""The wxPython reactor with its delayed calls on the wheel."""

from twisted.internet.wxreactor import WxReactor as _WxReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["WxReactor", "install"]


class WxReactor(WheelReactor, _WxReactor):
    __doc__ = _WxReactor.__doc__


install = installer(WxReactor)
