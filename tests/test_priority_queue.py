"""PriorityQueue: order, stability, removal and change of priority."""

from __future__ import annotations

import gc
import random

import pytest

from timerwheel import PriorityEntry, PriorityQueue


def test_pops_the_lowest_first_and_equals_in_order_of_pushing() -> None:
    queue = PriorityQueue()
    for item, priority in enumerate([3, 1, 2, 1, 3, 1]):
        queue.push(priority, item)
    assert queue.peek() == 1
    assert list(queue) == [1, 3, 5, 2, 0, 4]
    assert [queue.pop() for _ in range(len(queue))] == [1, 3, 5, 2, 0, 4]


@pytest.mark.parametrize("seed", range(10))
def test_any_program_pops_as_a_sorted_list_would(seed: int) -> None:
    chance = random.Random(seed)
    queue = PriorityQueue()
    oracle: dict[int, float] = {}
    entries = {}
    for number in range(1500):
        action = chance.randrange(6)
        if action <= 2 or not oracle:
            priority = float(chance.randrange(20))
            entries[number] = queue.push(priority, number)
            oracle[number] = priority
        elif action == 3:
            expected = min(oracle, key=lambda item: (oracle[item], item))
            assert queue.peek() == expected
            assert queue.pop() == expected
            del oracle[expected]
        elif action == 4:
            item = chance.choice(list(oracle))
            assert queue.remove(entries[item]) == item
            del oracle[item]
        else:
            item = chance.choice(list(oracle))
            oracle[item] = float(chance.randrange(20))
            queue.update(entries[item], oracle[item])
            assert entries[item].priority == oracle[item]
        queue.check_invariants()
        assert len(queue) == len(oracle)
    assert list(queue) == sorted(oracle, key=lambda item: (oracle[item], item))


def test_removal_sifts_both_ways() -> None:
    """libuv e002340e: what replaces a removed node may be smaller than its new parent."""
    queue = PriorityQueue()
    priorities = [0, 100, 1, 2, 3, 101, 102, 103, 104, 5, 6, 7, 8]
    entries = [queue.push(priority, priority) for priority in priorities]
    queue.remove(entries[5])
    queue.check_invariants()
    assert list(queue) == sorted(set(priorities) - {101})


def test_an_entry_that_is_gone_cannot_be_used() -> None:
    queue, other = PriorityQueue(), PriorityQueue()
    entry = queue.push(1, "item")
    assert entry in queue
    assert entry not in other
    with pytest.raises(ValueError, match="not in this queue"):
        other.remove(entry)
    queue.pop()
    assert not entry.active
    assert entry.item == "item"
    for call in (lambda: queue.remove(entry), lambda: queue.update(entry, 2)):
        with pytest.raises(ValueError, match="not in this queue"):
            call()


def test_empty_and_wrong_arguments() -> None:
    queue = PriorityQueue()
    for call in (queue.pop, queue.peek):
        with pytest.raises(IndexError, match="empty"):
            call()
    with pytest.raises(ValueError, match="NaN"):
        queue.push(float("nan"), None)
    with pytest.raises(TypeError):
        queue.push("high", None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not an entry"):
        queue.remove("item")  # type: ignore[arg-type]
    assert len(queue) == 0


def test_clear_lets_go_of_all() -> None:
    queue = PriorityQueue()
    entries = [queue.push(number, number) for number in range(1000)]
    queue.clear()
    assert len(queue) == 0
    assert not any(entry.active for entry in entries)
    queue.push(1, "again")
    assert queue.pop() == "again"


def test_the_types_can_be_named_with_that_of_their_items() -> None:
    assert PriorityQueue[str].__origin__ is PriorityQueue
    assert PriorityEntry[str].__args__ == (str,)


def test_entries_are_made_by_the_queue_and_show_what_they_are() -> None:
    with pytest.raises(TypeError, match=r"made by PriorityQueue\.push"):
        PriorityEntry()
    queue = PriorityQueue()
    entry = queue.push(2, "item")
    assert repr(entry) == "<PriorityEntry active priority=2.0 item='item'>"
    queue.pop()
    assert repr(entry) == "<PriorityEntry inactive priority=2.0 item='item'>"


def test_the_collector_sees_the_entries() -> None:
    queue = PriorityQueue()
    for entry in [queue.push(number, None) for number in range(10)]:
        assert queue in gc.get_referrers(entry)
