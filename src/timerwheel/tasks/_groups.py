"""Whose turn it is: fair turns among groups, strict priority within one.

Each group has a place in a queue, the number of its next turn. Taking a turn
moves it on by 1/weight, so that in any stretch of time groups that are never
empty get turns in proportion to their weights (stride scheduling, Waldspurger
and Weihl 1995). A group that comes back takes up at the present turn: time in
which it wanted nothing is not made up for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timerwheel._core import PriorityEntry, PriorityQueue

if TYPE_CHECKING:
    from timerwheel.tasks._scheduler import Scheduler
    from timerwheel.tasks._task import Task


class Group:
    """Tasks that take turns with those of other groups. Made by `Scheduler.group()`.

    `weight` is the share of turns that the group gets while others wait too, and
    `max_running` how many of its tasks may run at once, None for no limit. Both
    may be changed at any time.
    """

    __slots__ = (
        "_max_running",
        "_next_turn",
        "_place",
        "_ready",
        "_running",
        "_scheduler",
        "_weight",
        "name",
    )

    def __init__(
        self, scheduler: Scheduler, name: str, weight: float, max_running: int | None
    ) -> None:
        self.name = name
        self._scheduler = scheduler
        self._ready: PriorityQueue[Task[Any]] = PriorityQueue()
        self._running = 0
        self._next_turn = 0.0
        self._place: PriorityEntry[Group] | None = None  # among the groups that may run
        self.weight = weight
        self._max_running = checked_limit(max_running)

    def __repr__(self) -> str:
        return f"<Group {self.name!r} ready={len(self._ready)} running={self._running}>"

    @property
    def weight(self) -> float:
        """The share of turns, a positive number."""
        return self._weight

    @weight.setter
    def weight(self, weight: float) -> None:
        if not 0 < weight < float("inf"):
            raise ValueError(f"a weight must be a positive number, not {weight!r}")
        self._weight = weight

    @property
    def max_running(self) -> int | None:
        """How many tasks of the group may run at once, or None."""
        return self._max_running

    @max_running.setter
    def max_running(self, max_running: int | None) -> None:
        self._max_running = checked_limit(max_running)
        self._scheduler._group_changed(self)

    @property
    def ready(self) -> int:
        """How many tasks of the group wait for their turn."""
        return len(self._ready)

    @property
    def running(self) -> int:
        """How many tasks of the group run."""
        return self._running

    def _may_run(self) -> bool:
        return bool(self._ready) and (
            self._max_running is None or self._running < self._max_running
        )


def checked_limit(max_running: int | None) -> int | None:
    """A limit on how many run at once. Raises ValueError if none could."""
    if max_running is not None and max_running < 1:
        raise ValueError(f"max_running must be at least 1, or None, not {max_running!r}")
    return max_running


class Turns:
    """The tasks that are ready, in the order in which they are to run."""

    def __init__(self) -> None:
        self._places: PriorityQueue[Group] = PriorityQueue()  # of the groups that may run
        self._count = 0
        self._present_turn = 0.0

    def __len__(self) -> int:
        """How many tasks wait for their turn."""
        return self._count

    def may_run(self) -> bool:
        """Whether a group has a task that may run."""
        return bool(self._places)

    def add(self, task: Task[Any]) -> None:
        """Have a task wait for its turn."""
        group = task.group
        task._entry = group._ready.push(task._priority, task)
        self._count += 1
        if group._place is None:
            self.review(group)

    def remove(self, task: Task[Any]) -> None:
        """Have a task wait no longer."""
        group = task.group
        assert task._entry is not None
        group._ready.remove(task._entry)
        task._entry = None
        self._count -= 1
        self.review(group)

    def take(self) -> Task[Any]:
        """Take out the task whose turn it is. It runs until `ended()`."""
        group = self._places.peek()
        task = group._ready.pop()
        task._entry = None
        self._count -= 1
        self._present_turn = group._next_turn
        group._next_turn += 1 / group._weight
        group._running += 1
        self.review(group)
        return task

    def ended(self, group: Group) -> None:
        """Count a task of the group as running no longer."""
        group._running -= 1
        if group._max_running is not None:
            self.review(group)

    def review(self, group: Group) -> None:
        """Give a group the place that it is to have: none if nothing of it may run."""
        place = group._place
        if not group._may_run():
            if place is not None:
                self._places.remove(place)
                group._place = None
        elif place is None:
            group._next_turn = max(group._next_turn, self._present_turn)
            group._place = self._places.push(group._next_turn, group)
        else:
            self._places.update(place, group._next_turn)
