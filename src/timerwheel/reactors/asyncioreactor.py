"""The asyncio reactor with its delayed calls on the wheel."""

from __future__ import annotations

from asyncio import AbstractEventLoop

from twisted.internet.asyncioreactor import AsyncioSelectorReactor as _AsyncioSelectorReactor

from timerwheel.reactors._install import install_reactor
from timerwheel.reactors._wheel import WheelReactor

__all__ = ["AsyncioSelectorReactor", "install"]


class AsyncioSelectorReactor(WheelReactor, _AsyncioSelectorReactor):
    __doc__ = _AsyncioSelectorReactor.__doc__


def install(eventloop: AbstractEventLoop | None = None) -> None:
    """Install the reactor on an event loop, uvloop's too; on the running or a new one if None.

    As in Twisted, the loop does not become the current one of the thread. If the program uses
    asyncio's own functions, call `asyncio.set_event_loop(eventloop)` before.

    Raises ReactorAlreadyInstalledError if there is a reactor.
    """
    install_reactor(lambda: AsyncioSelectorReactor(eventloop))
