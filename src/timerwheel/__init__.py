"""A faster timer backend for Twisted: a hierarchical timer wheel and a priority queue in C.

    import timerwheel
    timerwheel.install()            # before anything imports twisted.internet.reactor

This puts the delayed calls of the reactor on a wheel; nothing else changes. `accelerate(reactor)`
does the same to a reactor that is already installed or running; `restore(reactor)` undoes it.
`Clock` is for tests, like Twisted's own. `status(reactor)` proves that the wheel is on;
`stats(reactor)` has its figures. You can use `TimerWheel` and `PriorityQueue` without a reactor and
without Twisted.
"""

from typing import TYPE_CHECKING

try:
    from timerwheel import _core
    from timerwheel._core import DelayedCall, PriorityEntry, PriorityQueue, Timer, TimerWheel
except ImportError as error:
    if "interpreter" in str(error):  # CPython's and Cython's words, which have no type of their own
        raise ImportError(
            "timerwheel does not support subinterpreters: one interpreter of a process can import "
            f"it ({error})",
            name=__name__,
        ) from None
    raise ImportError(
        "timerwheel was installed without its extension module for this Python "
        f"({error}). Install a wheel for this Python, or, if you have a C compiler, run this in a "
        "clone: python -m pip install --force-reinstall .",
        name=__name__,  # has `python -m timerwheel` print the sentence without a traceback
    ) from None

from timerwheel._accelerate import accelerate, restore
from timerwheel._install import install

__version__ = _core.VERSION

if TYPE_CHECKING:
    from timerwheel._clock import Clock
    from timerwheel.observe import dump, dump_on_signal, pending, stats, status, watch
    from timerwheel.recording import record
else:
    # These import Twisted, or what only some programs need.
    _LATE = {"Clock": "_clock", "record": "recording"} | dict.fromkeys(
        ("dump", "dump_on_signal", "pending", "stats", "status", "watch"), "observe"
    )

    def __getattr__(name):
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        from importlib import import_module

        return getattr(import_module(f"timerwheel.{_LATE[name]}"), name)


__all__ = [
    "Clock",
    "DelayedCall",
    "PriorityEntry",
    "PriorityQueue",
    "Timer",
    "TimerWheel",
    "accelerate",
    "dump",
    "dump_on_signal",
    "install",
    "pending",
    "record",
    "restore",
    "stats",
    "status",
    "watch",
]
