"""The epoll(7) reactor with its delayed calls on the wheel."""

from twisted.internet.epollreactor import EPollReactor as _EPollReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["EPollReactor", "install"]


class EPollReactor(WheelReactor, _EPollReactor):
    __doc__ = _EPollReactor.__doc__


install = installer(EPollReactor)
