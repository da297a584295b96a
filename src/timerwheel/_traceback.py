"""The traceback of an exception without the frames of the extension."""

from __future__ import annotations

from types import TracebackType

from timerwheel import _core


def without_our_frames(
    _: object, raised: BaseException | None, traceback: TracebackType | None
) -> BaseException:
    """The exception of sys.exc_info(), its traceback begun with the function that was called.

    (Nothing but their globals tells the frames of the extension: functions of it that
    stand at the same line of different files may share a name in tracebacks.)
    """
    assert raised is not None
    while traceback is not None and traceback.tb_frame.f_globals is vars(_core):
        traceback = traceback.tb_next
    # (Not raised.with_traceback(): a program's exceptions may have a method of that name.)
    return BaseException.with_traceback(raised, traceback)
