"""One side: a process with one reactor, which runs the workloads that its standard input names."""

from __future__ import annotations

import gc
import sys
from time import perf_counter_ns
from typing import Any

from timerwheel.commands.bench.workloads import WORKLOADS
from timerwheel.commands.side_process import class_name, install, serve


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


def main() -> None:
    """Print the reactor's class, and then measure until the input ends."""
    reactor = install(sys.argv[1])
    serve(class_name(reactor), lambda question: measure(reactor, *question))


if __name__ == "__main__":
    main()
