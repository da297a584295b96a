"""The reactor that is installed already, with its delayed calls on the wheel.

For command lines on which a plugin imports the reactor before `--reactor=` is read.
"""

from __future__ import annotations

from timerwheel._accelerate import accelerate

__all__ = ["install"]


def install() -> None:
    """Put the wheel into the installed reactor; into Twisted's default if there is none."""
    from twisted.internet import reactor

    accelerate(reactor)
