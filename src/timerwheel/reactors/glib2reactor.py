"""The GLib 2 reactor (PyGTK) with its delayed calls on the wheel."""

from __future__ import annotations

from twisted.internet.glib2reactor import Glib2Reactor as _Glib2Reactor

from timerwheel._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["Glib2Reactor", "install"]


class Glib2Reactor(WheelReactor, _Glib2Reactor):
    __doc__ = _Glib2Reactor.__doc__


make = Glib2Reactor


def install() -> None:
    """Install the reactor. Raises ReactorAlreadyInstalledError if there is one."""
    install_reactor(make)
