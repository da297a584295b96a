"""Whether and when to retry after a failure, by a policy of the library tenacity."""

from __future__ import annotations

from typing import Any, cast

from twisted.python.failure import Failure

from timerwheel._tasks import TaskBase

try:
    from tenacity import DoSleep, RetryCallState, Retrying
except ImportError as error:
    raise ImportError(
        f"the option `retry` needs tenacity ({error}): pip install timerwheel[retry]"
    ) from None


def usable(policy: Any) -> Retrying | None:
    """The policy, or None if it is disabled. Raises TypeError if it is not a Retrying."""
    if not isinstance(policy, Retrying):
        raise TypeError(f"retry must be a tenacity.Retrying, not {policy!r}")
    # (tenacity before 9.1 has no `enabled`.)
    return policy if getattr(policy, "enabled", True) else None


class Retries:
    """Drives a `tenacity.Retrying` for one task, as tenacity's asyncio variant does.

    It works on a copy: otherwise the policy's notes on an attempt could be another task's, if that
    task ends in one of the hooks. Times are by the task's clock, so `stop_after_delay` also works
    on a fake clock.
    """

    def __init__(self, policy: Retrying, task: TaskBase, now: float) -> None:
        self.policy = policy.copy()
        self.state = RetryCallState(self.policy, task.func, task.args, {})
        self.state.start_time = now
        self.policy.begin()

    def begin_attempt(self) -> None:
        """Call the policy's `before`."""
        self.policy.iter(self.state)

    def next(self, outcome: Any, now: float) -> tuple[float | None, Any]:
        """After an attempt: (seconds to wait for the next, None), or (None, the outcome)."""
        state = self.state
        if isinstance(outcome, Failure):
            error = cast(BaseException, outcome.value)
            state.set_exception((type(error), error, outcome.tb))
        else:
            state.set_result(outcome)
        state.outcome_timestamp = now
        try:
            action = self.policy.iter(state)
            return (self._wait(action), None) if isinstance(action, DoSleep) else (None, action)
        except BaseException as error:
            if isinstance(outcome, Failure) and error is outcome.value:
                return None, outcome  # with its own traceback
            return None, Failure()  # type: ignore[no-untyped-call]

    def _wait(self, action: DoSleep) -> float:
        delay = float(action)
        if not delay >= 0:
            raise ValueError(f"a policy must wait 0 seconds or more, not {delay!r}")
        self.state.prepare_for_next_attempt()
        return delay
