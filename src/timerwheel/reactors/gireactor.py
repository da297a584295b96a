"""The GLib reactor (PyGObject) with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.gireactor import GIReactor as _GIReactor
from twisted.internet.gireactor import PortableGIReactor as _PortableGIReactor
from twisted.python.runtime import platform

from timerwheel.reactors._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["GIReactor", "PortableGIReactor", "install"]


class GIReactor(WheelReactor, _GIReactor):
    __doc__ = _GIReactor.__doc__


class PortableGIReactor(WheelReactor, _PortableGIReactor):
    __doc__ = _PortableGIReactor.__doc__


def install(useGtk: bool = False) -> GIReactor | PortableGIReactor:
    """Install the reactor and return it. Raises ReactorAlreadyInstalledError if there is one."""
    # As Twisted chooses.
    make = GIReactor if platform.getType() == "posix" else PortableGIReactor
    reactor: GIReactor | PortableGIReactor = install_reactor(lambda: make(useGtk))
    return reactor
