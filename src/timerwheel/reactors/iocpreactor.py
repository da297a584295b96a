"""The Windows I/O completion port reactor with its delayed calls on the wheel."""

from twisted.internet.iocpreactor.reactor import IOCPReactor as _IOCPReactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["IOCPReactor", "install"]


class IOCPReactor(WheelReactor, _IOCPReactor):
    __doc__ = _IOCPReactor.__doc__


install = installer(IOCPReactor)
