"""Graphs of tasks: time a node with timerwheel.tasks and with others, by policy; memory; pauses.

    python bench/tasks/task_graph.py [--nodes 100000] [--repeats 5]

Hand-written Deferreds, asyncio tasks that await each other, and Dask's synchronous scheduler, if it
is installed (`pip install dask`), run the same graphs. All are in one process and take turns. Each
time is processor time, from the first node made to the last one done, with garbage collection.

A pause is the processor's time between two turns of the reactor's loop, while all tasks at once are
due, released or cancelled. Garbage collection is off then: its pauses would hide these.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.selectreactor import SelectReactor

import timerwheel
from timerwheel.tasks import Scheduler, Task
from timerwheel.tasks._policies import POLICIES

try:
    from dask.local import get_sync as dask_get
except ImportError:
    dask_get = None

# For each node the nodes that come before it, which have lower numbers.
Graph = list[list[int]]

GROUPS = 10


def chain(size: int) -> Graph:
    return [[number - 1] if number else [] for number in range(size)]


def one_for_all(size: int) -> Graph:
    """One that all wait for, and one that waits for all."""
    return [[], *([0] for _ in range(size - 2)), list(range(size - 1))]


def diamonds(size: int) -> Graph:
    """Layers of ten nodes, each of which waits for two of the layer before."""
    return [
        [number - 10, number - number % 10 - 10 + (number + 1) % 10] if number >= 10 else []
        for number in range(size)
    ]


def unlinked(size: int) -> Graph:
    return [[] for _ in range(size)]


GRAPHS = {
    "no dependencies": unlinked,
    "a chain": chain,
    "diamonds": diamonds,
    "one for all": one_for_all,
}


def nothing() -> None:
    """What each node does."""


def with_tasks(graph: Graph, policy: str = "fair") -> int:
    """On a reactor that runs, as all but Dask."""
    reactor: Any = SelectReactor()
    timerwheel.accelerate(reactor)
    scheduler = Scheduler(reactor, policy=policy)
    groups = [scheduler.group() for _ in range(GROUPS)]
    tasks: list[Task] = []
    done: list[None] = []

    def node() -> None:
        done.append(nothing())
        if len(done) == len(graph):
            reactor.stop()

    for number, before in enumerate(graph):
        after = [tasks[each] for each in before]
        group = groups[number % GROUPS]
        if after:
            tasks.append(scheduler.call(node, after=after, group=group))
        else:
            tasks.append(scheduler.call(node, group=group))
    reactor.run(installSignalHandlers=False)
    return len(done)


def with_deferreds(graph: Graph) -> int:
    """gatherResults() of those before, and then callLater(0), on the same reactor."""
    reactor: Any = SelectReactor()
    timerwheel.accelerate(reactor)
    done: list[None] = []
    nodes: list[Deferred[Any]] = []

    def node(_: Any, mine: Deferred[Any]) -> None:
        reactor.callLater(0, run, mine)

    def run(mine: Deferred[Any]) -> None:
        done.append(nothing())
        mine.callback(None)
        if len(done) == len(graph):
            reactor.stop()

    for before in graph:
        mine: Deferred[Any] = Deferred()
        if before:
            waits = [listener(nodes[each]) for each in before]
            gatherResults(waits).addCallback(node, mine)
        else:
            node(None, mine)
        nodes.append(mine)
    reactor.run(installSignalHandlers=False)
    return len(done)


def listener(deferred: Deferred[Any]) -> Deferred[Any]:
    """A new Deferred that fires with another."""
    new: Deferred[Any] = Deferred()
    deferred.addCallback(new.callback)
    return new


def with_asyncio(graph: Graph) -> int:
    """A task a node, which awaits those of the nodes before, in a TaskGroup where there is one."""
    done: list[None] = []

    async def node(before: list[Any]) -> None:
        for each in before:
            await each
        done.append(nothing())

    async def main() -> None:
        nodes: list[Any] = []
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                for before in graph:
                    nodes.append(group.create_task(node([nodes[each] for each in before])))
        else:
            for before in graph:
                nodes.append(asyncio.ensure_future(node([nodes[each] for each in before])))
            await asyncio.gather(*nodes)

    asyncio.run(main())
    return len(done)


def with_dask(graph: Graph) -> int:
    """Its scheduler that runs all in this thread."""
    done: list[None] = []

    def node(before: list[Any]) -> None:
        done.append(nothing())

    nodes = {
        f"n{number}": (node, [f"n{each}" for each in before]) for number, before in enumerate(graph)
    }
    dask_get(nodes, list(nodes))
    return len(done)


PARTIES: dict[str, Callable[[Graph], int]] = {
    "tasks": with_tasks,
    "Deferreds": with_deferreds,
    "asyncio": with_asyncio,
}
if dask_get is not None:
    PARTIES["Dask"] = with_dask


def seconds(run: Callable[[], int], nodes: int) -> float:
    gc.collect()
    start = time.process_time()
    ran = run()
    passed = time.process_time() - start
    if ran != nodes:
        raise SystemExit(f"{ran} nodes ran, not {nodes}")
    return passed


def compare(runs: dict[str, Callable[[], int]], nodes: int, repeats: int) -> dict[str, float]:
    """The median of the seconds of each, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(seconds(run, nodes))
    return {name: statistics.median(taken) for name, taken in times.items()}


def row(title: str, times: dict[str, float], nodes: int) -> str:
    first = next(iter(times.values()))
    cells = [f"{taken / nodes * 1e6:8.2f} us {taken / first:5.1f} x" for taken in times.values()]
    return f"{title:<16}" + "".join(f"{cell:>20}" for cell in cells)


def bytes_a_task(nodes: int, edges: bool) -> float:
    scheduler = Scheduler(timerwheel.Clock())
    tasks: list[Task] = [scheduler.call_later(60, nothing)]
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(nodes):
            if edges:
                tasks.append(scheduler.call(nothing, after=tasks[-1:]))
            else:
                tasks.append(scheduler.call(nothing))
        return tracemalloc.get_traced_memory()[0] / nodes
    finally:
        tracemalloc.stop()
        scheduler.close(0)


def released(scheduler: Scheduler, nodes: int) -> Callable[[], object]:
    held: Deferred[None] = Deferred()
    first = scheduler.call(lambda: held)
    for _ in range(nodes):
        scheduler.call(nothing, after=[first])
    return lambda: held.callback(None)


def failed(scheduler: Scheduler, nodes: int) -> Callable[[], object]:
    first = scheduler.call_later(60, nothing)
    for _ in range(nodes):
        scheduler.call(nothing, after=[first])
    return first.cancel


def due(scheduler: Scheduler, nodes: int) -> Callable[[], object]:
    when = scheduler._reactor.seconds()
    for _ in range(nodes):
        scheduler.call_at(when, nothing)
    return nothing


def given_up(scheduler: Scheduler, nodes: int) -> Callable[[], object]:
    tasks = [scheduler.call_later(60, nothing) for _ in range(nodes)]
    gathered = scheduler.gather(tasks)
    return lambda: (gathered.cancel(), scheduler.close(0))


def closed(scheduler: Scheduler, nodes: int) -> Callable[[], object]:
    for _ in range(nodes):
        scheduler.call_later(60, nothing)
    return lambda: scheduler.close(0)


EVENTS = {
    "are released by one": released,
    "fail for one": failed,
    "are due": due,
    "are not gathered any more, and closed": given_up,
    "are closed": closed,
}


def longest_pause(event: Callable[[Scheduler, int], Callable[[], object]], nodes: int) -> float:
    """Seconds."""
    reactor: Any = SelectReactor()
    timerwheel.accelerate(reactor)
    scheduler = Scheduler(reactor)
    set_off = event(scheduler, nodes)
    turns: list[float] = []

    def turn() -> None:
        turns.append(time.thread_time())
        if len(turns) == 10:
            set_off()
        if len(turns) > 10 and not scheduler._task_count:
            reactor.stop()
        else:
            reactor.callLater(0, turn)

    gc.collect()
    gc.disable()
    try:
        turn()
        reactor.run(installSignalHandlers=False)
    finally:
        gc.enable()
    return max(after - before for before, after in itertools.pairwise(turns))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=100_000, help="of each graph")
    parser.add_argument("--repeats", type=int, default=5, help="how often each is run")
    options = parser.parse_args()
    nodes, repeats = options.nodes, options.repeats
    print(f"{nodes:,} nodes: time a node, and how many times that of tasks")
    print(f"{'':<16}" + "".join(f"{name:>20}" for name in PARTIES))
    for title, make in GRAPHS.items():
        graph = make(nodes)
        runs = {name: partial(run, graph) for name, run in PARTIES.items()}
        print(row(title, compare(runs, nodes, repeats), nodes))
    print(f"\nTasks by policy, in {GROUPS} groups: time a node, and how many times that of fair")
    print(f"{'':<16}" + "".join(f"{name:>20}" for name in POLICIES))
    for title in ("no dependencies", "diamonds"):
        graph = GRAPHS[title](nodes)
        runs = {name: partial(with_tasks, graph, name) for name in POLICIES}
        print(row(title, compare(runs, nodes, repeats), nodes))
    ready, waiting = bytes_a_task(nodes, edges=False), bytes_a_task(nodes, edges=True)
    print(f"\nBytes a task: {ready:.0f} that is ready, {waiting:.0f} that waits for one other")
    print(f"\nThe longest pause of the reactor when {nodes:,} tasks at once")
    for title, event in EVENTS.items():
        print(f"{title:<40}{longest_pause(event, nodes) * 1e3:8.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
