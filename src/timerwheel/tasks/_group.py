"""A group: tasks that share a limit, and take fair turns with other groups."""

from __future__ import annotations

from timerwheel._tasks import DispatcherBase, GroupBase


class Group(GroupBase):
    """A group of tasks, which takes turns with other groups. `Scheduler.group()` makes it.

    `ready` is how many of its tasks wait for their turn, `running` how many run.
    """

    __slots__ = ("__weakref__", "_name")

    def __init__(
        self, scheduler: DispatcherBase, name: str, weight: float, max_running: int | None
    ) -> None:
        super().__init__(scheduler, as_limit(max_running))
        self._name = name
        self.weight = weight

    def __repr__(self) -> str:
        return f"<Group {self.name!r} ready={self.ready} running={self.running}>"

    @property
    def name(self) -> str:
        """The name that you gave to `Scheduler.group()`."""
        return self._name

    @property
    def weight(self) -> float:
        """The group's share of turns while others wait too. You can change it.

        Raises ValueError if it is not from 0.0001 to 10,000.
        """
        return 1 / self.stride

    @weight.setter
    def weight(self, weight: float) -> None:
        # (A turn of the heaviest must still change the sum of very many of the lightest.)
        if not 0.0001 <= weight <= 10_000:
            raise ValueError(f"a weight must be from 0.0001 to 10,000, not {weight!r}")
        self._scheduler._set_stride(self, 1 / weight)

    @property
    def max_running(self) -> int | None:
        """How many of its tasks may run at once, or None for no limit. You can change it."""
        return None if self._limit < 0 else self._limit

    @max_running.setter
    def max_running(self, max_running: int | None) -> None:
        self._scheduler._set_limit(as_limit(max_running), self)


def as_limit(max_running: int | None) -> int:
    """A limit in the extension's form, -1 for none. Raises ValueError if nothing could run."""
    if max_running is None:
        return -1
    if max_running < 1:
        raise ValueError(f"max_running must be at least 1, or None, not {max_running!r}")
    return max_running
