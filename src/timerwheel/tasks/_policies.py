"""Policies: which ready task is next."""

from __future__ import annotations

from math import inf

from timerwheel.tasks._task import Task


class Policy:
    """Decides which ready task is next: a key for each task, and whether groups take turns.

    The task with the lowest key is next; among equal keys, the one that became ready first. To
    write a policy, override `key()`, or set `groups_take_turns`, in a subclass, and give an
    instance to the scheduler. The queues stay in C: to start a task takes O(log n) steps for n
    tasks and groups.
    """

    groups_take_turns = True
    """Whether keys decide only within a group, and groups take turns by weight.

    If False, all tasks are in one order, and groups only have limits.
    """

    def key(self, task: Task) -> float:
        """A number for a task, the lowest first. By default its priority.

        The scheduler calls this when you make the task and when you set its priority. A new task
        has its options already, but its state is None, and you cannot cancel it. An exception of
        this propagates to there; so does ValueError for NaN.
        """
        return task.priority


class FairTurns(Policy):
    """The default, "fair": groups take turns by weight, priorities decide within a group."""


class RoundRobin(Policy):
    """Named "round-robin": groups take turns by weight; within each, first in, first out."""

    def key(self, task: Task) -> float:
        return 0


class FirstInFirstOut(Policy):
    """Named "fifo": all tasks in the order in which they became ready."""

    groups_take_turns = False

    def key(self, task: Task) -> float:
        return 0


class StrictPriority(Policy):
    """Named "priority": the lowest priority of all groups first. The others may starve."""

    groups_take_turns = False


class EarliestDeadlineFirst(Policy):
    """Named "deadline": the earliest deadline of all groups first; tasks without one come last.

    If any order finishes all ready tasks in time, one by one, this one does (Jackson 1955). If none
    does, this one may be late for each of them. `on_missed_deadline` may cancel the late ones.
    """

    groups_take_turns = False

    def key(self, task: Task) -> float:
        return inf if task.deadline is None else task.deadline


POLICIES: dict[str, type[Policy]] = {
    "fair": FairTurns,
    "fifo": FirstInFirstOut,
    "priority": StrictPriority,
    "round-robin": RoundRobin,
    "deadline": EarliestDeadlineFirst,
}


def as_policy(policy: str | Policy) -> Policy:
    """The policy of a name, or the given Policy."""
    if isinstance(policy, Policy):
        return policy
    if not isinstance(policy, str):
        raise TypeError(f"policy must be a name or a Policy, not {policy!r}")
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    return POLICIES[policy]()
