"""The GTK 3 reactor, the GLib one under another name, with its delayed calls on the wheel."""

from timerwheel.reactors.gireactor import GIReactor as Gtk3Reactor
from timerwheel.reactors.gireactor import PortableGIReactor as PortableGtk3Reactor
from timerwheel.reactors.gireactor import install

__all__ = ["Gtk3Reactor", "PortableGtk3Reactor", "install"]
