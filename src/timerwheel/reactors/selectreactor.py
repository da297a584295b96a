"""The select(2) reactor with its delayed calls on the wheel."""

from twisted.internet.selectreactor import SelectReactor as _SelectReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["SelectReactor", "install"]


class SelectReactor(WheelReactor, _SelectReactor):
    __doc__ = _SelectReactor.__doc__


install = installer(SelectReactor)
