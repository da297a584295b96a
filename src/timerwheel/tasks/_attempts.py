"""Tasks that do not end at once: await them, retry them, cancel them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.python.failure import Failure

from timerwheel._tasks import DispatcherBase, is_result
from timerwheel.tasks._awaiting import for_twisted
from timerwheel.tasks._task import Task, ignore

# Cancelling a task cancels the task that it waits for, and so on, each on the stack of the one
# before. After so many levels, the rest waits until these are through.
NESTED_CANCELS = 10


class Attempts(DispatcherBase):
    """The part of a scheduler that handles the results and errors of its tasks' functions."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._cancels = 0  # that are being carried out, one on the stack of the other
        self._to_cancel: list[Task] = []  # those that were too many

    def _begin_attempt(self, task: Task) -> None:
        """Tell the policy that an attempt begins."""
        from timerwheel.tasks._retries import Retries

        retries = task._retries or Retries(task.retry, task, self._reactor.seconds())
        task._retries = None  # the policy's own failures are not its subject
        retries.begin_attempt()
        if task._cancelled:
            raise CancelledError
        task._retries = retries

    def _follow(self, outcome: Any, task: Task) -> None:
        """Handle the return value of an attempt."""
        attempt = self._as_deferred(outcome, task)
        if not isinstance(attempt, Deferred):
            self._attempt_ended(attempt, task)
            return
        task._attempt = attempt
        if task.timeout is not None:
            task._time_limit = self._reactor.callLater(task.timeout, self._cancel_attempt, task)
        self._wait_for(attempt, self._attempt_ended, task)

    def _as_deferred(self, outcome: Any, task: Task) -> Any:
        """A Deferred for an awaitable; any other value unchanged, also a Failure."""
        if isinstance(outcome, Deferred | Failure) or is_result(outcome):
            return outcome
        if isinstance(outcome, Task):
            return outcome._listen()
        try:
            outcome = for_twisted(outcome, self._reactor)
        except TypeError:
            return Failure()  # type: ignore[no-untyped-call]
        if isinstance(outcome, CoroutineType):
            task._coroutine = outcome
            outcome = Deferred.fromCoroutine(outcome)
        return outcome

    def _go_on_with(self, outcome: Any, then: Callable[[Any, Task], None], task: Task) -> None:
        """Go on with then() when there is a result, perhaps now."""
        attempt = self._as_deferred(outcome, task)
        if isinstance(attempt, Deferred):
            self._wait_for(attempt, then, task)
        else:
            then(attempt, task)

    def _wait_for(
        self, attempt: Deferred[Any], then: Callable[[Any, Task], None], task: Task
    ) -> None:
        """Go on with then() when this Deferred fires. Cancelling the task cancels it."""
        task._attempt = attempt
        attempt.addBoth(self._go_on, then, task)
        if task._cancelled:
            attempt.cancel()
        elif self._closing is not None:
            self._closing.refuse_own_tasks()

    def _attempt_ended(self, outcome: Any, task: Task) -> None:
        if task._time_limit is not None and self._end_time_limit(task) and is_cancellation(outcome):
            error = TimeoutError(task.timeout, "Deferred")  # like Deferred.addTimeout()
            outcome = Failure(error)  # type: ignore[no-untyped-call]
        task._attempt = task._coroutine = None
        if task._retries is None or task._cancelled:
            self._settle_for(outcome, task)
            return
        now = self._reactor.seconds()
        delay, outcome = task._retries.next(outcome, now)
        if delay is None:
            # (What the policy gives when it gives up may be a Deferred, too.)
            self._go_on_with(outcome, self._settle_for, task)
        else:
            self._try_again(task, now + delay)

    def _settle_for(self, outcome: Any, task: Task) -> None:
        """No attempt is left: let the fallback handle the failure."""
        task._attempt = None
        if not isinstance(outcome, Failure) or task.fallback is None or task._cancelled:
            self._ended(outcome, task)
            return
        try:
            outcome = task.fallback(outcome)
        except BaseException:  # as of an attempt
            outcome = Failure()  # type: ignore[no-untyped-call]
        self._go_on_with(outcome, self._ended, task)

    def _ended(self, outcome: Any, task: Task) -> None:
        """A task has run: its turn is over, or it is done."""
        task._attempt = task._coroutine = task._retries = None
        self._finish(task, outcome, task._cancelled and is_cancellation(outcome))

    def _abandon(self, task: Task) -> None:
        """Cancel the Deferred of a task that was broken off, and ignore its outcome."""
        self._end_time_limit(task)
        attempt, task._attempt = task._attempt, None
        if attempt is not None:
            attempt.addErrback(ignore)
            attempt.cancel()

    # Cancelling.

    def _cancel_running(self, task: Task) -> None:
        self._end_time_limit(task)
        self._cancel_attempt(task)

    def _end_time_limit(self, task: Task) -> bool:
        """Remove the time limit of an attempt. Returns whether it had passed."""
        limit, task._time_limit = task._time_limit, None
        if limit is None or not limit.active():
            return limit is not None
        limit.cancel()
        return False

    def _cancel_attempt(self, task: Task) -> None:
        """Cancel the Deferred that a task waits for, if its function has returned one."""
        if self._cancels == NESTED_CANCELS:
            self._to_cancel.append(task)
            return
        self._cancels += 1
        try:
            self._cancel_what(task)
        finally:
            self._cancels -= 1
            if not self._cancels and self._to_cancel:
                self._cancel_rest()

    def _cancel_rest(self) -> None:
        """Do the deferred cancellations. An error of one does not stop the others."""
        errors: list[BaseException] = []
        self._cancels += 1
        while self._to_cancel:
            try:
                self._cancel_what(self._to_cancel.pop())
            except BaseException as error:
                errors.append(error)
        self._cancels -= 1
        if errors:
            raise errors[0]

    def _cancel_what(self, task: Task) -> None:
        attempt = task._attempt
        if attempt is None:
            return
        if task._coroutine is not None and task._coroutine.cr_running:
            # It cancels itself. Tell it only where it waits: otherwise Twisted would forget it.
            self._reactor.callLater(0, attempt.cancel)
            return
        attempt.cancel()
        if task._attempt is attempt and attempt.called and not attempt.paused:
            # Unless it is just telling us, it has failed once: its callbacks had no stack left.
            attempt.addBoth(self._heard_late, attempt, task)

    def _heard_late(self, outcome: Any, attempt: Deferred[Any], task: Task) -> None:
        if task._attempt is attempt:
            self._go_on(outcome, self._ended if task._cancelled else self._attempt_ended, task)


def is_cancellation(outcome: Any) -> bool:
    """Whether a cancellation has made an attempt fail. (asyncio has an error of its own.)"""
    return isinstance(outcome, Failure) and bool(
        outcome.check(CancelledError, asyncio.CancelledError)  # type: ignore[no-untyped-call]
    )
