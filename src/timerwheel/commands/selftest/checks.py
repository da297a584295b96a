"""All checks, and their output."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping

from timerwheel.commands.selftest.failures import CheckFailedError
from timerwheel.commands.selftest.model import check_against_twisted, check_same_instant
from timerwheel.commands.selftest.priorities import check_priority_queue
from timerwheel.commands.selftest.wakes import check_wakes

Check = Callable[[int, int], str]
"""Takes the seed and the number of steps, and returns what it did."""

CHECKS: Mapping[str, Check] = {
    "same as Twisted's reactor": check_against_twisted,
    "order within an instant": check_same_instant,
    "order of the priority queue": check_priority_queue,
    "wakes of the default reactor": check_wakes,
}


def run_checks(checks: Mapping[str, Check], seed: int, steps: int) -> bool:
    """Run checks, and print a line for each.

    @return: whether all is well.
    """
    failed = [name for name, check in checks.items() if not _passes(name, check, seed, steps)]
    print(f"FAILED: {', '.join(failed)}" if failed else "all is well")
    return not failed


def _passes(name: str, check: Check, seed: int, steps: int) -> bool:
    try:
        done = check(seed, steps)
    except CheckFailedError as error:
        print(f"FAILED  {name}: {error}", flush=True)
        return False
    except Exception:
        print(f"FAILED  {name}:\n{traceback.format_exc()}", flush=True)
        return False
    print(f"ok      {name}: {done}", flush=True)
    return True
