"""Log the failure of a timed call as the installed Twisted does (ReactorBase.runUntilCurrent)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet import base
from twisted.python import log

from timerwheel._traceback import without_our_frames

# Twisted 24.10 and later log with this handler; older ones with log.err().
_handler: Any = getattr(base, "_DEFAULT_DELAYED_CALL_LOGGING_HANDLER", None)


def report(creator: Sequence[str] | None) -> None:
    """Log the exception being handled. creator: the stack where the call was made, or None.

    This raises it again, so that its traceback begins, as in Twisted, with one readable frame that
    leads to the main loop. The extension's frames do neither.
    """
    try:
        raise without_our_frames(*sys.exc_info())
    except BaseException:
        _log(creator)


def _log(creator: Sequence[str] | None) -> None:
    if _handler is None:
        _report_before_handlers(creator)
    elif creator is None:
        _handler.__exit__(*sys.exc_info())
    else:
        stack = _indented(creator)
        base._log.failuresHandled(
            "while handling timed call {previous()}",
            previous=lambda: f"\n C: from a DelayedCall created here:\n C:{stack}\n",
        ).__exit__(*sys.exc_info())


def _report_before_handlers(creator: Sequence[str] | None) -> None:
    log.err()  # type: ignore[no-untyped-call]
    if creator is not None:
        log.msg(
            "\n C: previous exception occurred in a DelayedCall created here:\n"
            f" C:{_indented(creator)}\n"
        )


def _indented(creator: Sequence[str]) -> str:
    return "".join(creator).rstrip().replace("\n", "\n C:")
