"""Wake an event loop that has its timers on the wheel, and call the expired ones."""

from __future__ import annotations

import time
from asyncio import BaseEventLoop
from collections.abc import Callable
from contextvars import Context
from types import BuiltinFunctionType
from typing import Any

from timerwheel._core import (
    CallQueue,
    LoopClock,
    machine_time,
    move_due_timers,
    run_due_timers,
    set_attributes,
)
from timerwheel._wakers._event_loop import EventLoopWaker
from timerwheel.aio._methods import find_place

# The attribute of a loop that holds its queue, in its instance dict.
KEY = "_timerwheel"

# A loop's methods that the extension replaces. Only asyncio's loops have the last.
STANDING = ("call_later", "call_at", "_process_events")

# asyncio's own time(), before a test replaces it.
_asyncios_time = BaseEventLoop.time


def reads_machine(clock: Callable[[], float]) -> bool:
    """Whether a loop's time() is asyncio's or ours, and time.monotonic() is Python's."""
    function = getattr(clock, "__func__", clock)
    is_known = function is _asyncios_time or type(function) is LoopClock
    return is_known and isinstance(time.monotonic, BuiltinFunctionType)


class LoopWaker(EventLoopWaker):
    """Makes a loop watch an alarm. Calls leave(loop, queue) when the loop has been closed.

    If there is no alarm, or a test controls the loop's time, it uses the loop's own timer: asyncio
    reads its clock before each wait, so it notices when a test moves that clock.

    asyncio's loops look for expired timers in _process_events(), at each turn, so the alarm only
    has to wake them. They set it again after they have called these timers. For other loops, and
    if a program has replaced _process_events(), the alarm's reader calls the expired timers.
    """

    def __init__(self, loop: Any, leave: Callable[[Any, CallQueue], None]) -> None:
        super().__init__(loop)
        self._leave = leave
        self._loop = loop
        self._is_asyncios = isinstance(loop, BaseEventLoop)
        self.standing = STANDING if self._is_asyncios else STANDING[:2]
        self._timer: Any = None  # the handle of the loop's own timer, if it is set
        self._stock_call_at = self._stock("call_at")
        self._stock_close = self._stock("close")

    def methods(self) -> dict[str, Callable[..., Any]]:
        if self._is_asyncios or not self._keeps_time():
            return {}
        # uvloop's own clock is the time of its last turn, in whole milliseconds: too early. It is
        # not Python's either, so a test that freezes that does not freeze uvloop.
        return {"time": machine_time}

    def attach(self, queue: CallQueue) -> None:
        self._queue = queue

    def reschedule(self) -> None:
        try:
            super().reschedule()
        except BaseException:  # a signal's handler may raise anywhere in there
            if not self._loop.is_closed():
                self._loop.call_soon(self._reschedule, context=Context())
            raise

    def detach(self) -> None:
        self._alarm.drop()
        self._cancel_timer()

    def close(self) -> None:
        """In place of close(): also release the pending timers."""
        loop = self._loop
        if not loop.is_running() and not loop.is_closed():
            self._alarm.drop()  # while the loop can still be told
        self._stock_close(loop)
        if loop.is_closed():
            self._leave(loop, self._queue)

    def stock_call_at(self, when: float, callback: Callable[[], None]) -> Any:
        """Set a timer with the loop's own call_at(), which may call other methods of the loop."""
        set_attributes(self._loop, {KEY: None})
        try:
            # (In its own context: otherwise it would keep the caller's context alive.)
            return self._stock_call_at(self._loop, when, callback, context=Context())
        finally:
            set_attributes(self._loop, {KEY: self._queue})

    def _stock(self, name: str) -> Callable[..., Any]:
        """A loop's own function."""
        place = find_place(type(self._loop), name)
        assert place is not None
        return place.function

    def _keeps_time(self) -> bool:
        # (A test's clock may have the machine's time now, and move on its own later.)
        is_tests = self._is_asyncios and not reads_machine(self._loop.time)
        return not is_tests and super()._keeps_time()

    def _watch(self, number: int, callback: Callable[[], bool]) -> Any:
        return super()._watch(number, lambda: self._queue.overdue or callback())

    def _timeout(self) -> float | None:
        return self._queue.timeout()

    def _reschedule(self) -> None:
        self.reschedule()

    def _set_timer(self, timeout: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        loop = self._loop
        if timeout:
            self._timer = self.stock_call_at(self._time_after(timeout), callback)
        else:
            self._timer = loop.call_soon(callback, context=Context())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        try:
            if self._is_asyncios:
                move_due_timers(self._queue)
            else:
                run_due_timers(self._queue)
        finally:
            if not self._loop.is_closed():
                self.reschedule()
