"""How many tasks run at once, and in which turns those of several groups."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from helpers import FakeClock, make_reactor
from task_helpers import Jobs

from timerwheel.tasks import Scheduler

# Limits.


def test_no_more_than_so_many_run_at_once(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock, max_running=2), Jobs()
    tasks = [scheduler.call(jobs.start, number) for number in range(5)]
    clock.advance(0)
    assert (list(jobs.begun), scheduler.running) == ([0, 1], 2)
    assert clock.getDelayedCalls() == []
    jobs.end(1, "one")
    clock.advance(0)
    assert list(jobs.begun) == [0, 2]
    assert (tasks[1].result, scheduler.running) == ("one", 2)
    scheduler.max_running = 4
    clock.advance(0)
    assert list(jobs.begun) == [0, 2, 3, 4]
    for number in list(jobs.begun):
        jobs.end(number)
    assert (scheduler.running, scheduler.tasks) == (0, [])


def test_a_group_has_a_limit_of_its_own_and_others_pass_it(clock: Any) -> None:
    scheduler, jobs = Scheduler(clock), Jobs()
    slow = scheduler.group("slow", max_running=1)
    for number in range(3):
        scheduler.call(jobs.start, f"slow{number}", group=slow, priority=-1)
    scheduler.call(jobs.start, "other")
    clock.advance(0)
    assert list(jobs.begun) == ["slow0", "other"]
    assert (slow.ready, slow.running) == (2, 1)
    jobs.end("slow0")
    clock.advance(0)
    assert list(jobs.begun) == ["other", "slow1"]
    slow.max_running = None
    clock.advance(0)
    assert list(jobs.begun) == ["other", "slow1", "slow2"]


def test_a_group_and_its_tasks_can_be_asked_what_they_are(scheduler: Scheduler) -> None:
    group = scheduler.group("web", weight=4, max_running=2)
    task = scheduler.call(print, group=group)
    assert task.group is group
    assert (group.name, group.weight, group.max_running) == ("web", 4, 2)
    group.weight, group.max_running = 0.5, None
    assert (group.weight, group.max_running, group.ready) == (0.5, None, 1)
    scheduler.close(0)


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_limit_lets_one_run_at_least(clock: Any, wrong: int) -> None:
    with pytest.raises(ValueError, match="max_running"):
        Scheduler(clock, max_running=wrong)
    scheduler = Scheduler(clock)
    with pytest.raises(ValueError, match="max_running"):
        scheduler.group(max_running=wrong)
    with pytest.raises(ValueError, match="max_running"):
        scheduler.max_running = wrong
    assert scheduler.max_running is None


def test_a_pass_ends_when_its_budget_is_used_up(log: list[Any]) -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor, budget=0.25)
    for number in range(10):
        scheduler.call(lambda number=number: (log.append(number), clock.advance(0.1)))
    reactor.runUntilCurrent()
    assert log == [0, 1, 2]
    assert reactor.timeout() == 0
    reactor.runUntilCurrent()  # what the tasks wrote is sent after this turn of the loop
    assert log == [0, 1, 2]
    assert reactor.timeout() == 0
    reactor.runUntilCurrent()
    assert log == [0, 1, 2, 3, 4, 5]
    clock.advance(-3600)  # a step back of the clock ends a pass, not its budget
    reactor.runUntilCurrent()
    assert len(log) >= 6
    for _ in range(10):
        clock.advance(3600)
        reactor.runUntilCurrent()
    assert log == list(range(10))


def test_the_call_after_a_budget_is_used_up_is_cancelled_with_its_tasks() -> None:
    clock = FakeClock(1.7e9)
    reactor = make_reactor(clock)
    scheduler = Scheduler(reactor, budget=0.25)
    for _ in range(10):
        scheduler.call(clock.advance, 0.3)
    for turns in range(4):
        reactor.runUntilCurrent()
        assert len(scheduler.tasks) == 9 - turns // 2
    scheduler.close(0)
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_a_budget_is_positive(clock: Any, wrong: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        Scheduler(clock, budget=wrong)


# Fair turns.


def test_groups_take_turns_whatever_their_tasks_priorities(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    groups = {name: scheduler.group(name) for name in "ab"}
    for name, count, priority in [("a", 4, -100), ("b", 2, 100)]:
        for _ in range(count):
            scheduler.call(log.append, name, group=groups[name], priority=priority)
    clock.advance(0)
    assert log == ["a", "b", "a", "b", "a", "a"]


def test_turns_are_in_proportion_to_weights(clock: Any, log: list[Any]) -> None:
    scheduler = Scheduler(clock)
    for name, weight in [("light", 1), ("heavy", 3), ("half", 0.5)]:
        group = scheduler.group(name, weight=weight)
        for _ in range(100):
            scheduler.call(log.append, name, group=group)
    clock.advance(0)
    share = Counter(log[:90])
    assert share["heavy"] == pytest.approx(60, abs=1)
    assert share["light"] == pytest.approx(20, abs=1)
    assert share["half"] == pytest.approx(10, abs=1)


def test_a_group_does_not_save_up_turns(clock: Any, scheduler: Scheduler, log: list[Any]) -> None:
    busy, idle = scheduler.group("busy"), scheduler.group("idle")
    for _ in range(50):
        scheduler.call(log.append, "busy", group=busy)
    clock.advance(0)
    log.clear()
    for _ in range(4):
        scheduler.call(log.append, "busy", group=busy)
        scheduler.call(log.append, "idle", group=idle)
    clock.advance(0)
    assert Counter(log[:4]) == {"busy": 2, "idle": 2}


def test_a_group_that_comes_and_goes_gets_no_more_than_its_share(
    clock: Any, log: list[Any]
) -> None:
    scheduler = Scheduler(clock, max_running=1)
    busy, other = scheduler.group("busy"), scheduler.group("other")
    for _ in range(20):
        scheduler.call(log.append, "busy", group=busy)

    def again() -> None:
        log.append("other")
        scheduler.call(again, group=other)

    scheduler.call(again, group=other)
    for _ in range(10):
        scheduler._pass()
    share = Counter(log[:20])
    assert abs(share["busy"] - share["other"]) <= 1
    scheduler.close(0)


def test_a_weight_that_is_raised_forgives_the_turns_that_it_has_had(
    clock: Any, scheduler: Scheduler, log: list[Any]
) -> None:
    light, other = scheduler.group("light", weight=0.001), scheduler.group("other")
    scheduler.call(log.append, "light", group=light)
    clock.advance(0)
    light.weight = 1
    for group in (light, other) * 10:
        scheduler.call(lambda group: log.append(group.name), group, group=group)
    clock.advance(0)
    assert Counter(log[1:9])["light"] >= 3


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), 1e-5, 1e5])
def test_a_weight_is_a_positive_number_neither_tiny_nor_huge(
    scheduler: Scheduler, wrong: float
) -> None:
    group = scheduler.group(weight=3)
    with pytest.raises(ValueError, match="weight"):
        scheduler.group(weight=wrong)
    with pytest.raises(ValueError, match="weight"):
        group.weight = wrong
    assert group.weight == 3
