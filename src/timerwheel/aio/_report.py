"""Report a failed timer to its event loop, as asyncio.Handle._run() does."""

from __future__ import annotations

import sys
from asyncio.format_helpers import _format_callback_source
from inspect import signature
from typing import Any

from timerwheel._traceback import without_our_frames

# Whether asyncio's debug mode shows more of the callback, as it does from 3.13 on.
_TAKES_DEBUG = "debug" in signature(_format_callback_source).parameters


def report(handle: Any) -> None:
    """Call the loop's exception handler for the exception being handled."""
    loop = handle._loop
    options = {"debug": loop.get_debug()} if _TAKES_DEBUG else {}
    callback = _format_callback_source(handle._callback, handle._args, **options)
    try:
        raise without_our_frames(*sys.exc_info())
    except BaseException as exception:
        context = {
            "message": f"Exception in callback {callback}",
            "exception": exception,
            "handle": handle,
        }
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        loop.call_exception_handler(context)
