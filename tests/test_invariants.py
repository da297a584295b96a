"""check_invariants() finds what is wrong: each test spoils the memory of what was sound.

The structures are those of entry.pxd, earliest.pxd, level.pxd, run.pxd, heap.pxd and wheel.pxd.
That they are still laid out so is looked at first.
"""

from __future__ import annotations

import ctypes
from copy import copy
from ctypes import c_double, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, make_reactor, queue_of

from timerwheel import PriorityQueue, Timer, TimerWheel

LEVELS, SLOTS, LANES = 6, 64, 8


class Links(ctypes.Structure):
    _fields_ = [("next", c_void_p), ("previous", c_void_p)]


class Entry(ctypes.Structure):
    _fields_ = [
        ("links", Links),
        ("when", c_double),
        ("sequence", c_uint64),
        ("index", c_uint32),
        ("place", c_uint8),
        ("slot", c_uint8),
        ("mark", c_uint8),
        ("lock", c_uint8),
    ]


class Handle(ctypes.Structure):
    _fields_ = [("entry", Entry), ("owner", c_void_p)]


class Level(ctypes.Structure):
    _fields_ = [
        ("occupied", c_uint64),
        ("lanes", c_uint8 * SLOTS),
        ("slots", Links * LANES * SLOTS),
    ]


class Node(ctypes.Structure):
    _fields_ = [("when", c_double), ("sequence", c_uint64), ("entry", c_void_p)]


class Run(ctypes.Structure):
    _fields_ = [
        ("nodes", ctypes.POINTER(Node)),
        ("head", c_size_t),
        ("tail", c_size_t),
        ("holes", c_size_t),
        ("capacity", c_size_t),
    ]


class Heap(ctypes.Structure):
    _fields_ = [("nodes", ctypes.POINTER(Node)), ("size", c_size_t), ("capacity", c_size_t)]


class Earliest(ctypes.Structure):
    _fields_ = [
        ("entry", c_void_p),
        ("crowded", c_double),
        ("foremost", c_void_p),
        ("credit", c_size_t),
    ]


class Wheel(ctypes.Structure):
    _fields_ = [
        ("elapsed", c_uint64),
        ("sequence", c_uint64),
        ("limit", c_uint64),
        ("count", c_size_t),
        ("held_count", c_size_t),
        ("known", Earliest),
        ("levels", Level * LEVELS),
        ("overflow", Links),
        ("held", Links),
        ("run", Run),
        ("heap", Heap),
    ]


HEADER = object.__basicsize__
METHODS = ctypes.sizeof(c_void_p)  # of a type that has C methods: where they are


def handle_of(timer: Any) -> Handle:
    """The memory of a Timer, a DelayedCall or a PriorityEntry."""
    return Handle.from_address(id(timer) + HEADER)


def wheel_of(wheel: TimerWheel) -> Wheel:
    return Wheel.from_address(id(wheel) + HEADER + METHODS)


def heap_of(queue: PriorityQueue) -> Heap:
    return Heap.from_address(id(queue) + HEADER + METHODS)


def assert_found(fault: str, checked: Any, structure: Any, **spoilt: object) -> None:
    """What is sound is found to be so; and this fault in it, while these fields are spoilt."""
    checked.check_invariants()
    right = {name: copy(getattr(structure, name)) for name in spoilt}
    for name, value in spoilt.items():
        setattr(structure, name, value)
    try:
        with pytest.raises(AssertionError, match=fault):
            checked.check_invariants()
    finally:
        for name, value in right.items():
            setattr(structure, name, value)
    checked.check_invariants()


@pytest.fixture
def wheel() -> TimerWheel:
    """A wheel whose current tick is 0: a delay of n seconds is for tick 1024 * n."""
    return TimerWheel(0.0)


def with_run(wheel: TimerWheel, count: int) -> list[Timer]:
    """Timers that lie in the wheel's run: an exception ended the advance before they fired."""
    wheel.schedule(1.0, lambda: 1 / 0)
    timers = [wheel.schedule(1.0, int) for _ in range(count)]
    with pytest.raises(ZeroDivisionError):
        wheel.advance(1.0)
    return timers


@pytest.fixture(scope="module", autouse=True)
def layout() -> None:
    """The structures are laid out as above; else no test here may write to them."""
    wheel = TimerWheel(0.0)
    memory = wheel_of(wheel)
    ahead = wheel.schedule(1.0, int)
    due = [wheel.schedule(0.0, int) for _ in range(3)]
    beyond = wheel.schedule(1e12, int)
    assert (memory.elapsed, memory.sequence, memory.count) == (2**62, 5, 5)
    assert [handle_of(timer).entry.when for timer in (ahead, *due, beyond)] == [1, 0, 0, 0, 1e12]
    assert handle_of(beyond).entry.sequence == 4
    assert handle_of(ahead).owner == id(wheel)
    assert memory.heap.size == 3
    assert [memory.heap.nodes[n].sequence for n in range(3)] == [1, 2, 3]
    assert memory.overflow.next == memory.overflow.previous == ctypes.addressof(handle_of(beyond))
    entry = handle_of(ahead).entry
    assert (entry.index, entry.slot) == (1, 16)
    assert memory.levels[1].occupied == 1 << 16
    assert memory.levels[1].lanes[16] == 1
    assert memory.levels[1].slots[16][0].next == ctypes.addressof(entry)
    with_run(wheel, 2)
    assert memory.run.tail - memory.run.head == 2
    reactor = make_reactor(FakeClock(100.0))
    call = reactor.callLater(5, int)
    assert (handle_of(call).entry.when, handle_of(call).owner) == (105.0, id(queue_of(reactor)))
    queue = PriorityQueue()
    item = queue.push(3, "item")
    assert (heap_of(queue).size, heap_of(queue).nodes[0].when) == (1, 3.0)
    assert (handle_of(item).entry.when, handle_of(item).owner) == (3.0, id(queue))


def test_the_map_of_the_slots(wheel: TimerWheel) -> None:
    wheel.schedule(1.0, int)
    level = wheel_of(wheel).levels[1]
    assert_found("a slot and its bits disagree", wheel, level, occupied=0)
    assert_found("a slot and its bits disagree", wheel, level, occupied=0b11 << 16)


def test_the_maps_of_the_lanes(wheel: TimerWheel) -> None:
    wheel.schedule(1.0, int)
    level = wheel_of(wheel).levels[1]
    lanes = copy(level.lanes)
    lanes[16] = 0b10
    assert_found("a slot and its bits disagree", wheel, level, lanes=lanes)


def test_a_slot_that_was_passed_over(wheel: TimerWheel) -> None:
    wheel.schedule(5 / 1024, int)
    memory = wheel_of(wheel)
    assert_found("behind the current tick", wheel, memory, elapsed=memory.elapsed + 6)


def test_the_links_of_a_slot(wheel: TimerWheel) -> None:
    timer = wheel.schedule(1.0, int)
    lane = wheel_of(wheel).levels[1].slots[16][0]
    assert lane.previous == ctypes.addressof(handle_of(timer))
    assert_found("a list is broken", wheel, lane, previous=ctypes.addressof(lane))


@pytest.mark.parametrize("field", ["place", "index", "slot"])
def test_where_an_entry_thinks_it_is(wheel: TimerWheel, field: str) -> None:
    entry = handle_of(wheel.schedule(1.0, int)).entry
    wrong = {field: getattr(entry, field) + 1}
    assert_found("an entry does not know its slot", wheel, entry, **wrong)


def test_the_time_of_an_entry(wheel: TimerWheel) -> None:
    entry = handle_of(wheel.schedule(1.0, int)).entry
    assert_found("an entry is earlier than its slot", wheel, entry, when=0.5)


def test_the_earliest_entry(wheel: TimerWheel) -> None:
    wheel.schedule(10.0, int)
    assert wheel.next_expiry() == 10.0
    entry = handle_of(wheel.schedule(11.0, int)).entry
    assert_found("the earliest entry is not the earliest", wheel, entry, when=9.0)


def test_the_earliest_entry_beyond_the_levels(wheel: TimerWheel) -> None:
    wheel.schedule(1e12, int)
    assert wheel.next_expiry() == 1e12
    entry = handle_of(wheel.schedule(2e12, int)).entry
    assert_found("the earliest entry is not the earliest", wheel, entry, when=1e11)


def test_the_earliest_entry_is_no_longer_ahead(wheel: TimerWheel) -> None:
    due = ctypes.addressof(handle_of(wheel.schedule(0.0, int)))
    assert_found("the earliest entry is not ahead", wheel, wheel_of(wheel).known, entry=due)


def test_the_foremost_of_a_crowded_slot(wheel: TimerWheel) -> None:
    for _ in range(20):
        wheel.schedule(50.0, int)
    wheel.schedule(1.0, int)
    wheel.next_expiry()
    wheel.advance(1.0)
    wheel.next_expiry()
    wheel.schedule(2.0, int)
    known = wheel_of(wheel).known
    entry = Entry.from_address(known.foremost)
    assert_found("not its earliest", wheel, entry, when=60.0)
    assert_found("not in the crowded slot", wheel, known, crowded=0.0)


def test_what_is_beyond_the_levels(wheel: TimerWheel) -> None:
    entry = handle_of(wheel.schedule(1e12, int)).entry
    assert_found("the overflow is broken", wheel, entry, place=0)


def test_the_heap_of_what_is_due(wheel: TimerWheel) -> None:
    timers = [wheel.schedule(0.0, int) for _ in range(3)]
    memory = wheel_of(wheel)
    assert_found("the heap is out of order", wheel, memory.heap.nodes[0], when=1.0)
    for wrong in {"index": 7}, {"place": 0}:
        assert_found("the heap is out of order", wheel, handle_of(timers[1]).entry, **wrong)
    assert_found("the heap has no room for what is held", wheel, memory.heap, capacity=2)


def test_the_run_of_what_is_due(wheel: TimerWheel) -> None:
    timers = with_run(wheel, 3)
    run = wheel_of(wheel).run
    assert_found("the run is out of order", wheel, run.nodes[run.head], sequence=99)
    for wrong in {"place": 0}, {"when": 0.5}:
        assert_found("the run is out of order", wheel, handle_of(timers[1]).entry, **wrong)


@pytest.mark.parametrize("by", [1, -1])
def test_the_count(wheel: TimerWheel, by: int) -> None:
    wheel.schedule(1.0, int)
    memory = wheel_of(wheel)
    assert_found("the count is wrong", wheel, memory, count=memory.count + by)


def test_what_a_call_knows_of_its_queue(reactor: Any, queue: CallQueue) -> None:
    handle = handle_of(reactor.callLater(5, int))
    assert_found("a call does not know its queue", queue, handle, owner=None)
    assert_found("a call and its entry disagree", queue, handle.entry, when=105.5)


def test_the_heap_of_a_priority_queue() -> None:
    queue = PriorityQueue()
    items = [queue.push(priority, None) for priority in range(3)]
    assert_found("the heap is out of order", queue, heap_of(queue).nodes[0], when=9.0)
    assert_found("an entry does not know its queue", queue, handle_of(items[1]), owner=None)
