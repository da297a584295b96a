"""The threaded select reactor, for foreign event loops, with its delayed calls on the wheel."""

from twisted.internet._threadedselect import ThreadedSelectReactor as _ThreadedSelectReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["ThreadedSelectReactor", "install"]


class ThreadedSelectReactor(WheelReactor, _ThreadedSelectReactor):
    __doc__ = _ThreadedSelectReactor.__doc__


install = installer(ThreadedSelectReactor)
