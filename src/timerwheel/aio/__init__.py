"""The wheel for asyncio's timers: call_later(), call_at(), and everything built on them.

    from timerwheel import aio

    aio.run(main())                     # in place of asyncio.run(main())

`EventLoop` is asyncio's SelectorEventLoop with the wheel inside; `new_event_loop()` makes one.
`accelerate(loop)` puts the wheel into an existing loop, asyncio's or uvloop's, and `restore(loop)`
takes it out. None of this imports Twisted.
"""

from timerwheel.aio._accelerate import accelerate, restore
from timerwheel.aio._loop import EventLoop, new_event_loop, run

__all__ = ["EventLoop", "accelerate", "new_event_loop", "restore", "run"]
