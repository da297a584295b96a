"""Look at a running reactor: proof that the wheel is on, figures, slow calls, pending calls.

This package has `timerwheel.status()`, `stats()`, `watch()`, `pending()`, `dump()` and
`dump_on_signal()`. Nothing here changes what a program does.
"""

from __future__ import annotations

from timerwheel.observe._dump import dump, dump_on_signal
from timerwheel.observe._functions import FunctionName
from timerwheel.observe._histogram import Bucket, Histogram
from timerwheel.observe._pending import PendingGroup, pending
from timerwheel.observe._slow_call import SlowCall
from timerwheel.observe._stats import Stats, stats
from timerwheel.observe._status import MethodStatus, Status, status
from timerwheel.observe._watch import FunctionTimes, Watch, watch

__all__ = [
    "Bucket",
    "FunctionName",
    "FunctionTimes",
    "Histogram",
    "MethodStatus",
    "PendingGroup",
    "SlowCall",
    "Stats",
    "Status",
    "Watch",
    "dump",
    "dump_on_signal",
    "pending",
    "stats",
    "status",
    "watch",
]
