"""Priority queues: ours, a heapq whose removed entries are left in it, and queue.PriorityQueue.

    pytest bench/operations/test_queues.py

prints a table for each operation and number of entries, with the time of one operation. Marking a
heap's entry as removed costs next to nothing: the cost comes later, when the entry reaches the top.
So the tables show updates and removals twice: alone, and with the pops that empty the queue after
them.
"""

from __future__ import annotations

import gc
import queue
import random
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from timerwheel import PriorityQueue


class LazyHeap:
    """A heapq whose removed entries stay until they come to the top, as its manual shows."""

    REMOVED = object()

    def __init__(self) -> None:
        self.heap: list[list[Any]] = []
        self.counter = count()

    def push(self, priority: float, item: object) -> list[Any]:
        entry = [priority, next(self.counter), item]
        heappush(self.heap, entry)
        return entry

    def pop(self) -> Any:
        while True:
            item = heappop(self.heap)[2]
            if item is not self.REMOVED:
                return item

    def remove(self, entry: list[Any]) -> None:
        entry[2] = self.REMOVED

    def update(self, entry: list[Any], priority: float) -> list[Any]:
        item, entry[2] = entry[2], self.REMOVED
        return self.push(priority, item)

    def is_empty(self) -> bool:
        while self.heap and self.heap[0][2] is self.REMOVED:
            heappop(self.heap)
        return not self.heap


class Indexed(PriorityQueue[Any]):
    """Ours."""

    def is_empty(self) -> bool:
        return not self


class LockedHeap:
    """queue.PriorityQueue, which knows neither removal nor change."""

    def __init__(self) -> None:
        self.queue: queue.PriorityQueue[Any] = queue.PriorityQueue()
        self.counter = count()

    def push(self, priority: float, item: object) -> None:
        self.queue.put_nowait((priority, next(self.counter), item))

    def pop(self) -> Any:
        return self.queue.get_nowait()[2]

    def is_empty(self) -> bool:
        return self.queue.empty()


PARTIES: dict[str, type[Any]] = {"ours": Indexed, "heapq": LazyHeap, "queue": LockedHeap}
Work = Callable[[Any, list[Any], Sequence[float]], object]


def push(made: Any, entries: list[Any], priorities: Sequence[float]) -> None:
    add = made.push
    for priority in priorities:
        add(priority, None)


def pop(made: Any, entries: list[Any], priorities: Sequence[float]) -> None:
    take = made.pop
    for _ in entries:
        take()


def update(made: Any, entries: list[Any], priorities: Sequence[float]) -> None:
    change = made.update
    for entry, priority in zip(entries, priorities, strict=True):
        change(entry, priority)


def remove(made: Any, entries: list[Any], priorities: Sequence[float]) -> None:
    drop = made.remove
    for entry in entries:
        drop(entry)
    assert made.is_empty()


def push_back(made: Any, entries: list[Any], priorities: Sequence[float]) -> None:
    """Each entry gets a new priority ten times, as if it were pushed back; then all are popped."""
    entries = list(entries)
    change = made.update
    for _ in range(10):
        for index, priority in enumerate(priorities):
            entries[index] = change(entries[index], priority) or entries[index]
    pop(made, entries, priorities)


# (what, its function, whether it begins with the entries in the queue, operations an entry)
WORK: dict[str, tuple[Work, bool, int]] = {
    "push": (push, False, 1),
    "pop": (pop, True, 1),
    "update": (update, True, 1),
    "remove, until empty": (remove, True, 1),
    "update ten times and pop": (push_back, True, 11),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sizes = [int(size) for size in metafunc.config.getoption("--sizes").split(",")]
    cases = [
        pytest.param(work, size, party, id=f"{work}-{size}-{party}")
        for work in WORK
        for size in sizes
        if size <= 1_000_000
        for party in PARTIES
        if party != "queue" or work in ("push", "pop")
    ]
    metafunc.parametrize(("work", "size", "party"), cases)


def test_queues(benchmark: BenchmarkFixture, work: str, size: int, party: str) -> None:
    function, begins_full, operations = WORK[work]
    chance = random.Random(1)
    first = [chance.random() for _ in range(size)]
    second = [chance.random() for _ in range(size)]
    order = chance.sample(range(size), size)
    runs: list[Any] = []

    def prepare() -> None:
        made = PARTIES[party]()
        entries = [made.push(priority, None) for priority in first] if begins_full else []
        runs[:] = [made, [entries[index] for index in order] if begins_full else []]
        gc.collect()

    benchmark.group = f"{work}, {size:,} entries"
    benchmark.extra_info.update(work=work, size=size, party=party, operations=operations * size)
    benchmark.pedantic(
        lambda: function(*runs, second), setup=prepare, rounds=5 if size < 1_000_000 else 2
    )
    left = {"push": size, "update": size}.get(work, 0)
    popped = 0
    while not runs[0].is_empty():
        runs[0].pop()
        popped += 1
    assert popped == left
