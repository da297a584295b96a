"""For tests: a mixin for trial that fails a test which leaves timers pending.

The pytest plugin that does the same is `pytest_timerwheel`; docs/howto/leaks.md is about both.
"""

from timerwheel.testing._trial import NoPendingTimers

__all__ = ["NoPendingTimers"]
