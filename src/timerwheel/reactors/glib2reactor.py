"""The GLib 2 reactor (PyGTK) with its delayed calls on the wheel."""

from twisted.internet.glib2reactor import Glib2Reactor as _Glib2Reactor

from timerwheel.reactors._install import installer
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["Glib2Reactor", "install"]


class Glib2Reactor(WheelReactor, _Glib2Reactor):
    __doc__ = _Glib2Reactor.__doc__


install = installer(Glib2Reactor)
