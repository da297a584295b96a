"""One side: a process with one reactor, which measures on it what its standard input asks for.

For each line of JSON that it reads it writes one.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from time import perf_counter_ns
from typing import Any

from timerwheel.commands.bench.workloads import WORKLOADS


def measure(reactor: Any, work: str, pending: int) -> dict[str, Any]:
    """Run a workload once, the garbage collector switched on, as in a server.

    @param work: a key of `WORKLOADS`.

    @return: `nanoseconds` an operation, and the `problem`: `None` when there is none.
    """
    run = WORKLOADS[work](reactor, pending)
    gc.collect()
    began = perf_counter_ns()
    operations = run.timed()
    spent = perf_counter_ns() - began
    problem = run.check()
    _cancel_all(reactor)
    return {"nanoseconds": spent / operations, "problem": problem}


def _cancel_all(reactor: Any) -> None:
    for call in reactor.getDelayedCalls():
        call.cancel()
    reactor.runUntilCurrent()


def _install(side: str) -> Any:
    """Install the default reactor, and return it.

    @param side: `"stock"` or `"ours"`.
    """
    if side == "ours":
        import timerwheel

        timerwheel.install()
    from twisted.internet import reactor

    return reactor


def main() -> None:
    """Tell the reactor's class, and then measure until the input ends."""
    # Whoever started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reactor = _install(sys.argv[1])
    kind = type(reactor)
    print(json.dumps(f"{kind.__module__}.{kind.__qualname__}"), flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(reactor, *json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
