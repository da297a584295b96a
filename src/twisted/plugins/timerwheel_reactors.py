"""Names the wheel's reactors for `--reactor=` of trial, twist and twistd.

Twisted imports this file to list the reactors: it must import nothing of timerwheel.
"""

from twisted.application.reactors import Reactor

default = Reactor(
    "timerwheel",
    "timerwheel.reactors.default",
    "Twisted's default reactor with its timers on a wheel.",
)

accelerate = Reactor(
    "timerwheel-accelerate",
    "timerwheel.reactors.installed",
    "The reactor that is installed already, else Twisted's default, with its timers on a wheel.",
)

epoll = Reactor(
    "timerwheel-epoll",
    "timerwheel.reactors.epollreactor",
    "epoll(7) based reactor with its timers on a wheel.",
)

poll = Reactor(
    "timerwheel-poll",
    "timerwheel.reactors.pollreactor",
    "poll(2) based reactor with its timers on a wheel.",
)

select = Reactor(
    "timerwheel-select",
    "timerwheel.reactors.selectreactor",
    "select(2) based reactor with its timers on a wheel.",
)

asyncio = Reactor(
    "timerwheel-asyncio",
    "timerwheel.reactors.asyncioreactor",
    "asyncio based reactor with its timers on a wheel.",
)

kqueue = Reactor(
    "timerwheel-kqueue",
    "timerwheel.reactors.kqreactor",
    "kqueue(2) based reactor with its timers on a wheel.",
)

gi = Reactor(
    "timerwheel-gi",
    "timerwheel.reactors.gireactor",
    "GObject introspection (GLib) based reactor with its timers on a wheel.",
)

gtk3 = Reactor(
    "timerwheel-gtk3",
    "timerwheel.reactors.gtk3reactor",
    "GTK 3 based reactor with its timers on a wheel.",
)

glib2 = Reactor(
    "timerwheel-glib2",
    "timerwheel.reactors.glib2reactor",
    "GLib 2 based reactor with its timers on a wheel.",
)

cf = Reactor(
    "timerwheel-cf",
    "timerwheel.reactors.cfreactor",
    "CoreFoundation based reactor with its timers on a wheel.",
)

iocp = Reactor(
    "timerwheel-iocp",
    "timerwheel.reactors.iocpreactor",
    "Windows I/O completion port based reactor with its timers on a wheel.",
)

win32 = Reactor(
    "timerwheel-win32",
    "timerwheel.reactors.win32eventreactor",
    "Windows event based reactor with its timers on a wheel.",
)

wx = Reactor(
    "timerwheel-wx",
    "timerwheel.reactors.wxreactor",
    "wxPython based reactor with its timers on a wheel.",
)

threadedselect = Reactor(
    "timerwheel-threadedselect",
    "timerwheel.reactors._threadedselect",
    "Reactor for foreign event loops, select(2) in a thread, with its timers on a wheel.",
)
