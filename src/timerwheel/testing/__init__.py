"""For tests: a mixin for trial that fails a test which leaves timers pending.

`pytest_timerwheel` is the same for pytest. docs/howto/leaks.md shows both.
"""

from timerwheel.testing._trial import NoPendingTimers

__all__ = ["NoPendingTimers"]
