"""The poll(2) reactor with its delayed calls on the wheel."""

from twisted.internet.pollreactor import PollReactor as _PollReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["PollReactor", "install"]


class PollReactor(WheelReactor, _PollReactor):
    __doc__ = _PollReactor.__doc__


install = installer(PollReactor)
