"""Python code that a priority queue runs by the way, and that uses the queue."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from worlds import Act, Number, Trigger, World

import timerwheel


class QueueWorld:
    """Items that bear numbers, what may be done to them, and how often each was taken out."""

    ACTIONS = ("push", "pop", "remove", "update", "clear", "look", "drop")

    def __init__(self) -> None:
        self.queue: Any = timerwheel.PriorityQueue()
        self.entries: list[Any] = []
        self.taken: Counter[int] = Counter()
        self.acted = 0
        for _ in range(10):
            self.push()

    only_once = World.only_once

    def push(self) -> None:
        for priority in (3.0, 1.0, 2.0):
            self.entries.append(self.queue.push(priority, len(self.entries)))

    def active(self) -> list[Any]:
        return [entry for entry in self.entries if entry.active]

    def take(self, item: Any) -> None:
        if isinstance(item, int):
            self.taken[item] += 1

    def pop(self) -> None:
        if self.queue:
            self.take(self.queue.pop())

    def remove(self) -> None:
        for entry in self.active()[::7]:
            self.take(self.queue.remove(entry))

    def update(self) -> None:
        for number, entry in enumerate(self.active()[::5]):
            self.queue.update(entry, number)

    def clear(self) -> None:
        active = self.active()
        self.queue.clear()
        for entry in active:
            self.take(entry.item)

    def look(self) -> None:
        assert len(list(self.queue)) == len(self.queue)
        self.queue.check_invariants()

    def drop(self) -> None:
        self.queue = None

    def check(self) -> None:
        assert self.acted
        if self.queue is not None:
            self.queue.check_invariants()
            order = sorted(self.active(), key=lambda entry: (entry.priority, entry.item))
            while order:
                item = self.queue.pop()
                self.take(item)
                if isinstance(item, int):
                    assert item == order.pop(0).item
            assert self.taken == Counter(range(len(self.entries)))
        assert set(self.taken.values()) <= {1}


def popped_item(world: QueueWorld, act: Act) -> None:
    world.queue.push(0.0, Trigger(act))
    world.queue.pop()


def removed_item(world: QueueWorld, act: Act) -> None:
    world.queue.remove(world.queue.push(0.0, Trigger(act)))


def dropped_entry(world: QueueWorld, act: Act) -> None:
    entry = world.queue.push(0.0, Trigger(act))
    world.queue.pop()
    assert not world.acted
    del entry


def weak_reference_to_an_entry(world: QueueWorld, act: Act) -> None:
    reference = weakref.ref(world.queue.push(0.0, None), lambda _: act())
    world.queue.pop()
    assert reference() is None


def priority_to_push(world: QueueWorld, act: Act) -> None:
    world.queue.push(Number(act, 2.0), None)


def priority_to_update(world: QueueWorld, act: Act) -> None:
    try:
        world.queue.update(world.entries[2], Number(act, 0.0))
    except (AttributeError, ValueError):
        assert world.queue is None or not world.entries[2].active


IN_A_QUEUE = [
    popped_item,
    removed_item,
    dropped_entry,
    weak_reference_to_an_entry,
    priority_to_push,
    priority_to_update,
]


@pytest.mark.parametrize("action", [*QueueWorld.ACTIONS, "all"])
@pytest.mark.parametrize("place", IN_A_QUEUE)
def test_by_a_priority_queue(place: Callable[[QueueWorld, Act], None], action: str) -> None:
    world = QueueWorld()
    place(world, world.only_once(action))
    world.check()


@pytest.mark.parametrize("action", [*QueueWorld.ACTIONS, "all"])
def test_by_a_priority_queue_that_is_cleared(action: str) -> None:
    """All that stood before goes, and what is pushed meanwhile stays."""
    world = QueueWorld()
    queue, before = world.queue, len(world.queue)
    queue.push(2.5, Trigger(world.only_once(action)))
    queue.clear()
    assert world.acted
    assert not any(entry.active for entry in world.entries[:before])
    queue.check_invariants()


def test_by_a_priority_queue_that_is_no_more() -> None:
    world = QueueWorld()
    seen: list[int] = []
    world.queue.push(2.5, Trigger(lambda: seen.append(len(world.active()))))
    world.drop()
    assert seen
    assert world.active() == []
