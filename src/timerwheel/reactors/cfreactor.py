"""The CoreFoundation reactor with its delayed calls on the wheel."""

from twisted.internet.cfreactor import CFReactor as _CFReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["CFReactor", "install"]


class CFReactor(WheelReactor, _CFReactor):
    __doc__ = _CFReactor.__doc__


install = installer(CFReactor)
