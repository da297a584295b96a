"""The checks that asyncio's debug mode adds to call_later() and call_at()."""

from __future__ import annotations

import sys
from asyncio import _get_running_loop
from asyncio.coroutines import iscoroutine
from asyncio.format_helpers import extract_stack
from asyncio.log import logger
from time import monotonic
from traceback import StackSummary
from typing import Any

if sys.version_info >= (3, 14):
    from inspect import iscoroutinefunction  # asyncio's is deprecated
else:
    from asyncio.coroutines import iscoroutinefunction


def check_call(loop: Any, callback: Any, name: str) -> None:
    """Check a call as a loop in debug mode does. The check for a callable is always on.

    Raises RuntimeError in a thread that is not the loop's, TypeError for a non-callable.
    """
    if loop.get_debug():
        _check_thread(loop)
        if iscoroutine(callback) or iscoroutinefunction(callback):
            raise TypeError(f"coroutines cannot be used with {name}()")
    if not callable(callback):
        raise TypeError(f"a callable object was expected by {name}(), got {callback!r}")


def _check_thread(loop: Any) -> None:
    if hasattr(loop, "_check_thread"):
        loop._check_thread()
    elif loop.is_running() and _get_running_loop() is not loop:
        raise RuntimeError(
            "Non-thread-safe operation invoked on an event loop other than the current one"
        )


def stack() -> StackSummary:
    """The stack of the caller of call_later() or call_at()."""
    return extract_stack(sys._getframe(1))


def run_and_time(handle: Any, loop: Any) -> None:
    """Run a handle, and tell asyncio's log if its call was slow, as asyncio's own loop does."""
    began = monotonic()
    handle._run()
    seconds = monotonic() - began
    if seconds >= loop.slow_callback_duration:
        logger.warning("Executing %r took %.3f seconds", handle, seconds)
