"""The kqueue(2) reactor with its delayed calls on the wheel."""

from twisted.internet.kqreactor import KQueueReactor as _KQueueReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["KQueueReactor", "install"]


class KQueueReactor(WheelReactor, _KQueueReactor):
    __doc__ = _KQueueReactor.__doc__


install = installer(KQueueReactor)
