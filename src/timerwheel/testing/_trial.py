"""The mixin for trial's test cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from timerwheel.testing._watch import TimerWatch, check_allowed, not_allowed, report

Allowed = int | str | Sequence[int | str]


class NoPendingTimers:
    """A mixin for trial's TestCase and SynchronousTestCase: no test may leave timers pending.

    Put it before the test case among the bases:

        class SessionTests(NoPendingTimers, TestCase): ...

    If a test leaves timers, on a reactor or on a Clock, it fails. The error lists them, and who
    scheduled each. The mixin looks for timers after tearDown(). With a TestCase, the reactor first
    makes two passes, as with trial itself, so that it makes the expired calls. The mixin cancels
    the timers that the test may not leave.

    Set allow_pending_timers, on the class or on a test method, to the timers that a test may leave:
    a number, the name of a function ("Session.hang_up"), or several of both.
    """

    allow_pending_timers: Allowed = ()

    def run(self, result: Any) -> Any:
        """Run the test.

        Raises TypeError if the class is not a test case of trial's, or if allow_pending_timers has
        anything but numbers and names.
        """
        from twisted.trial.unittest import SynchronousTestCase

        if not isinstance(self, SynchronousTestCase):
            raise TypeError(
                f"NoPendingTimers needs a TestCase or SynchronousTestCase of trial, not "
                f"{type(self).__qualname__}; with pytest use --timer-leaks"
            )
        allowed = _allowed(self)
        watch = TimerWatch()
        # (Trial runs cleanups before tearDown(), and no code of the test after it.)
        self.tearDown = _checked(self, self.tearDown, watch, allowed)
        watch.hook()
        watch.begin()
        try:
            return super().run(result)
        finally:
            watch.unhook()
            del self.tearDown


def _allowed(case: Any) -> Sequence[int | str]:
    method = getattr(case, case._testMethodName)
    allowed = getattr(method, "allow_pending_timers", case.allow_pending_timers)
    found = [allowed] if isinstance(allowed, (int, str)) else list(allowed)
    check_allowed(found)
    return found


def _checked(
    case: Any, tear_down: Callable[[], Any], watch: TimerWatch, allowed: Sequence[int | str]
) -> Callable[[], Any]:
    """A tearDown() that looks for pending timers after the case's own."""
    from twisted.internet.defer import Deferred, maybeDeferred
    from twisted.trial.unittest import TestCase

    def check(_: object = None) -> None:
        left = not_allowed(watch.end(), allowed)
        for timer in left:
            timer.call.cancel()
        if left:
            case.fail(report(left))

    def check_later() -> Deferred[None]:
        done = maybeDeferred(tear_down)
        return done.addCallback(_two_passes).addCallback(check)

    def check_at_once() -> None:
        tear_down()
        check()

    return check_later if isinstance(case, TestCase) else check_at_once


def _two_passes(_: object) -> Any:
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    clock: Any = reactor
    return deferLater(clock, 0).addCallback(lambda _: deferLater(clock, 0))
