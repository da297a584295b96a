"""The traceback of an exception without the frames of the extension."""

from __future__ import annotations

from types import TracebackType

from timerwheel import _core


def without_our_frames(
    _: object, raised: BaseException | None, traceback: TracebackType | None
) -> BaseException:
    """The exception of sys.exc_info(), with a traceback that begins at the called function.

    (Only their globals identify the extension's frames: functions at the same line of different
    files of the extension may share a name in tracebacks.)
    """
    assert raised is not None
    while traceback is not None and traceback.tb_frame.f_globals is vars(_core):
        traceback = traceback.tb_next
    # (Not raised.with_traceback(), because a program's exception may define that method.)
    return BaseException.with_traceback(raised, traceback)
