"""The Windows event reactor with its delayed calls on the wheel."""

from twisted.internet.win32eventreactor import Win32Reactor as _Win32Reactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["Win32Reactor", "install"]


class Win32Reactor(WheelReactor, _Win32Reactor):
    __doc__ = _Win32Reactor.__doc__


install = installer(Win32Reactor)
