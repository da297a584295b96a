"""Which ready task is next, by policy; deadlines that are missed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

import timerwheel
from timerwheel.tasks import Policy, Scheduler, Task, TaskState
from timerwheel.tasks._policies import POLICIES

ORDERED = [name for name, policy in POLICIES.items() if not policy.groups_take_turns]


@pytest.fixture
def clock() -> timerwheel.Clock:
    return timerwheel.Clock()


# (name, group, priority, deadline), in the order in which they become ready.
TASKS = [
    ("a1", "a", 2, None),
    ("a2", "a", 1, 9),
    ("a3", "a", 1, 7),
    ("b1", "b", 1, 8),
    ("b2", "b", 0, None),
]


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        ("fair", "a2 b2 a3 b1 a1"),
        ("round-robin", "a1 b1 a2 b2 a3"),
        ("fifo", "a1 a2 a3 b1 b2"),
        ("priority", "b2 a2 a3 b1 a1"),
        ("deadline", "a3 b1 a2 a1 b2"),
    ],
)
def test_a_policy_has_a_name(
    clock: timerwheel.Clock, log: list[Any], policy: str, order: str
) -> None:
    scheduler = Scheduler(clock, policy=policy)
    assert type(scheduler.policy) is POLICIES[policy]
    groups = {name: scheduler.group(name) for name in "ab"}
    for name, group, priority, deadline in TASKS:
        scheduler.call(log.append, name, group=groups[group], priority=priority, deadline=deadline)
    clock.advance(0)
    assert log == order.split()


def test_the_default_is_fair(clock: timerwheel.Clock) -> None:
    assert type(Scheduler(clock).policy) is POLICIES["fair"]


class ShortestFirst(Policy):
    """By the length of the first argument, whatever the group."""

    groups_take_turns = False

    def key(self, task: Task) -> float:
        return len(task.args[0])


def test_a_policy_of_ones_own(clock: timerwheel.Clock, log: list[Any]) -> None:
    scheduler = Scheduler(clock, policy=ShortestFirst())
    for word in ("three", "a", "to"):
        scheduler.call(log.append, word, group=scheduler.group())
    clock.advance(0)
    assert log == ["a", "to", "three"]


def test_a_policy_may_print_a_new_task_and_not_cancel_it(
    clock: timerwheel.Clock, log: list[Any]
) -> None:
    class Curious(Policy):
        def key(self, task: Task) -> float:
            log.append(repr(task))
            if task.state is None:
                with pytest.raises(RuntimeError, match="still being made"):
                    task.cancel()
            return task.priority

    scheduler = Scheduler(clock, policy=Curious())
    task = scheduler.call(log.append, "ran", priority=2)
    task.priority = 3
    clock.advance(0)
    assert [said.replace("list.append ", "") for said in log] == [
        "<Task new priority=2>",
        "<Task ready priority=3>",
        "ran",
    ]
    inert = Task(scheduler, print, ())
    assert "new" in repr(inert)
    with pytest.raises(RuntimeError, match="still being made"):
        inert.cancel()


def test_what_cannot_be_changed_is_read_only(clock: timerwheel.Clock) -> None:
    scheduler = Scheduler(clock)
    task = scheduler.call(print)
    for owner, name in [
        (scheduler, "policy"),
        (scheduler, "missed_deadlines"),
        (scheduler, "running"),
        (scheduler, "tasks"),
        (scheduler.group("a"), "name"),
        (scheduler.group("a"), "running"),
        (task, "deadline"),
        (task, "state"),
        (task, "timeout"),
        (task, "after"),
    ]:
        before = getattr(owner, name)
        with pytest.raises(AttributeError):
            setattr(owner, name, 1)
        with pytest.raises(AttributeError):
            delattr(owner, name)
        assert getattr(owner, name) == before
    for owner, name in [
        (scheduler, "max_running"),
        (scheduler.group("a"), "max_running"),
        (scheduler.group("a"), "weight"),
        (task, "priority"),
    ]:
        with pytest.raises(AttributeError):
            delattr(owner, name)


def test_a_wrong_policy_is_refused(clock: timerwheel.Clock) -> None:
    with pytest.raises(ValueError, match="fifo"):
        Scheduler(clock, policy="lifo")
    for wrong in (None, 3, Policy):
        with pytest.raises(TypeError, match="policy"):
            Scheduler(clock, policy=wrong)  # type: ignore[arg-type]


class Keys(Policy):
    """Gives the keys that it is given, or raises them."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)

    def key(self, task: Task) -> float:
        key = self.keys.pop(0)
        if isinstance(key, Exception):
            raise key
        return float(key)


@pytest.mark.parametrize("wrong", [KeyError("wrong"), ValueError("wrong")])
def test_an_error_of_a_policy_is_raised_where_it_is_asked(
    clock: timerwheel.Clock, wrong: Exception
) -> None:
    scheduler = Scheduler(clock, policy=Keys(wrong, 1, wrong, float("nan")))
    with pytest.raises(type(wrong), match="wrong"):
        scheduler.call(print)
    assert (scheduler.tasks, clock.getDelayedCalls()) == ([], [])
    task = scheduler.call(print, priority=5)
    with pytest.raises(type(wrong), match="wrong"):
        task.priority = 6
    assert task.priority == 5
    with pytest.raises(ValueError, match="NaN"):
        scheduler.call(print)
    assert scheduler.tasks == [task]
    task.cancel()


def test_a_priority_that_is_set_counts_among_groups(
    clock: timerwheel.Clock, log: list[Any]
) -> None:
    scheduler = Scheduler(clock, policy="priority")
    tasks = [
        scheduler.call(log.append, number, priority=number, group=scheduler.group())
        for number in range(4)
    ]
    tasks[3].priority = -1
    tasks[0].priority = 9
    clock.advance(0)
    assert log == [3, 1, 2, 0]


def test_infinity_is_a_key_like_any_other(clock: timerwheel.Clock, log: list[Any]) -> None:
    scheduler = Scheduler(clock, policy="priority")
    for priority in (float("inf"), 0, float("-inf")):
        scheduler.call(log.append, priority, priority=priority, group=scheduler.group())
    clock.advance(0)
    assert log == [float("-inf"), 0, float("inf")]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_group_at_its_limit_is_passed(
    clock: timerwheel.Clock, log: list[Any], policy: str
) -> None:
    scheduler = Scheduler(clock, policy=policy)
    narrow = scheduler.group(max_running=1)
    held: Deferred[None] = Deferred()
    scheduler.call(lambda: held, group=narrow, priority=-2, deadline=1)
    scheduler.call(log.append, "narrow", group=narrow, priority=-1, deadline=2)
    scheduler.call(log.append, "other")
    clock.advance(0)
    assert log == ["other"]
    held.callback(None)
    clock.advance(0)
    assert log == ["other", "narrow"]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_without_turns_groups_make_no_difference_to_the_order(data: st.DataObject) -> None:
    clock, log = timerwheel.Clock(), []
    policy = data.draw(st.sampled_from(ORDERED))
    scheduler = Scheduler(clock, policy=policy)
    groups = [scheduler.group() for _ in range(3)]
    tasks: list[Task] = []
    numbers = st.integers(0, 3)
    for _ in range(data.draw(st.integers(1, 20))):
        task = scheduler.call(
            log.append,
            len(tasks),
            group=groups[data.draw(st.integers(0, 2))],
            priority=data.draw(numbers),
            deadline=data.draw(st.none() | numbers),
        )
        tasks.append(task)
        chosen = tasks[data.draw(st.integers(0, len(tasks) - 1))]
        match data.draw(st.sampled_from(["nothing", "priority", "cancel"])):
            case "priority":
                chosen.priority = data.draw(numbers)
            case "cancel":
                chosen.cancel()
    ready = [number for number, task in enumerate(tasks) if task.state is TaskState.READY]
    clock.advance(0)
    assert log == sorted(ready, key=lambda number: scheduler.policy.key(tasks[number]))


# Deadlines.


def busy(clock: timerwheel.Clock, seconds: float) -> None:
    """Takes so long."""
    clock.rightNow += seconds


def test_one_who_is_told_of_missed_deadlines_is_callable(clock: timerwheel.Clock) -> None:
    with pytest.raises(TypeError, match="on_missed_deadline must be callable, not 3"):
        Scheduler(clock, on_missed_deadline=3)  # type: ignore[arg-type]


def test_a_missed_deadline_is_counted_and_told(clock: timerwheel.Clock) -> None:
    told: list[Any] = []
    scheduler = Scheduler(
        clock,
        on_missed_deadline=lambda task: told.append((task, task.state.value, clock.seconds())),
    )
    on_time = scheduler.call_later(2, int, deadline=2)
    forever = scheduler.call(Deferred, deadline=3)
    late = scheduler.call_later(4, int, deadline=3.5)
    clock.pump([0] + [0.5] * 10)
    assert told == [(forever, "running", 3.5), (late, "scheduled", 4.0)]
    assert scheduler.missed_deadlines == 2
    assert (on_time.deadline, late.deadline, scheduler.call(int).deadline) == (2, 3.5, None)
    scheduler.close(0)
    clock.advance(0)
    assert (len(told), clock.getDelayedCalls()) == (2, [])


def test_a_deadline_that_passes_while_the_task_has_the_processor_is_missed(
    clock: timerwheel.Clock,
) -> None:
    told: list[Task] = []
    scheduler = Scheduler(clock, on_missed_deadline=told.append, budget=99)
    tasks = [scheduler.call(busy, clock, 2, deadline=deadline) for deadline in (2, 3, 6)]
    clock.advance(0)
    assert (told, scheduler.missed_deadlines) == ([tasks[1]], 1)


def test_a_deadline_that_is_kept_leaves_nothing(clock: timerwheel.Clock) -> None:
    scheduler = Scheduler(clock)
    scheduler.call(int, deadline=5)
    scheduler.call(int, deadline=float("inf"))
    scheduler.call_later(9, print, deadline=5).cancel()
    clock.advance(0)
    assert (scheduler.missed_deadlines, clock.getDelayedCalls()) == (0, [])


def test_who_is_told_may_cancel_what_is_late(clock: timerwheel.Clock, log: list[Any]) -> None:
    scheduler = Scheduler(clock, policy="deadline", on_missed_deadline=Task.cancel, budget=99)
    scheduler.call(busy, clock, 2, deadline=1)
    late = scheduler.call_later(1, log.append, "late", deadline=1.5)
    scheduler.call_later(1, log.append, "in time", deadline=4)
    clock.pump([0, 0])
    assert (log, late.state, scheduler.missed_deadlines) == (["in time"], TaskState.CANCELLED, 2)


def test_what_is_raised_by_who_is_told_is_logged(
    clock: timerwheel.Clock, log: list[Any], logged: list[Failure]
) -> None:
    def told(task: Task) -> None:
        raise KeyError("told")

    scheduler = Scheduler(clock, on_missed_deadline=told)
    scheduler.call_later(2, log.append, "ran", deadline=1)
    clock.pump([1.5, 0.5])
    assert log == ["ran"]
    assert [type(failure.value) for failure in logged] == [KeyError]


def test_who_is_told_may_close_the_scheduler(clock: timerwheel.Clock, log: list[Any]) -> None:
    scheduler = Scheduler(clock, on_missed_deadline=lambda task: scheduler.close(0))
    scheduler.call_later(2, log.append, "ran", deadline=1)
    scheduler.call_later(2, log.append, "ran", deadline=1.2)
    clock.pump([1.5, 0.5])
    assert (log, scheduler.tasks, clock.getDelayedCalls()) == ([], [], [])


def test_a_wrong_deadline_is_refused(clock: timerwheel.Clock) -> None:
    scheduler = Scheduler(clock)
    with pytest.raises(ValueError, match="NaN"):
        scheduler.call(print, deadline=float("nan"))
    with pytest.raises(TypeError):
        scheduler.call(print, deadline="soon")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="deadline"):
        scheduler.call_every(1, print, deadline=3)  # type: ignore[call-arg]
    assert (scheduler.tasks, clock.getDelayedCalls()) == ([], [])
