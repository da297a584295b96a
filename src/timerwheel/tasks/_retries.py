"""Whether a failure is tried again, and when: as a policy of the library tenacity says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tenacity import DoSleep, RetryCallState
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from timerwheel.tasks._task import Task


class Retries:
    """Drives a `tenacity.Retrying` for one task, as its asyncio variant drives its own.

    Times are those of the task's clock, so that `stop_after_delay` works on a fake one too.
    """

    def __init__(self, policy: BaseRetrying, task: Task, now: float) -> None:
        self.policy = policy
        self.state = RetryCallState(policy, task.func, task.args, {})
        self.state.start_time = now
        policy.begin()
        policy.iter(self.state)  # calls the policy's `before`

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
        except BaseException as error:
            if isinstance(outcome, Failure) and error is outcome.value:
                return None, outcome  # with its own traceback
            return None, Failure()  # type: ignore[no-untyped-call]
        if not isinstance(action, DoSleep):
            return None, action
        state.prepare_for_next_attempt()
        self.policy.iter(state)
        return float(action), None
