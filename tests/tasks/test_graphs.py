"""Random graphs of tasks against an oracle: states, results, causes; each runs once at most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

import timerwheel
from timerwheel.tasks import DependencyError, Scheduler, Task

# What the function of a task does, if it comes to that.
RETURNS, RAISES, WAITS = "returns", "raises", "waits"

NOT_SUCCEEDED = ("failed", "cancelled")


@dataclass
class Node:
    """What the oracle knows of a task."""

    number: int
    after: list[int]
    require_success: bool
    kind: str
    delay: int | None
    state: str = "waiting"
    is_for_another: bool = False  # it has failed, or was cancelled, for a task that it waits for
    due: int = 0


@dataclass
class Oracle:
    """What is to become of a graph, found by going through all of it again and again."""

    now: int = 0
    seen: int = -1  # up to which time the scheduler has started what is due
    nodes: list[Node] = field(default_factory=list)

    def add(self, node: Node) -> None:
        node.due = self.now + (node.delay or 0)
        self.nodes.append(node)
        self.settle()

    def settle(self) -> None:
        """In the order in which they were made, which no edge runs against."""
        for node in self.nodes:
            if node.state == "waiting":
                self.look_at(node, [self.nodes[number] for number in node.after])
            if node.state == "scheduled" and (node.delay is None or node.due <= self.seen):
                node.state = "ready"

    def look_at(self, node: Node, after: list[Node]) -> None:
        if node.require_success and any(each.state in NOT_SUCCEEDED for each in after):
            node.state, node.is_for_another = "failed", True
            return
        if all(each.state in ("succeeded", *NOT_SUCCEEDED) for each in after):
            node.state = "scheduled"

    def roots(self, node: Node) -> set[int]:
        """The tasks for which one may have failed: which of several depends on who was first."""
        if not node.is_for_another:
            return {node.number}
        after = [self.nodes[number] for number in node.after]
        return set().union(*(self.roots(each) for each in after if each.state in NOT_SUCCEEDED))

    def turn(self, seconds: int) -> None:
        self.now += seconds
        self.seen = self.now
        ran = True
        while ran:
            ran = False
            self.settle()
            for node in self.nodes:
                if node.state == "ready":
                    ran = True
                    node.state = {RETURNS: "succeeded", RAISES: "failed", WAITS: "running"}[
                        node.kind
                    ]
                    self.settle()

    def end(self, number: int, state: str) -> None:
        self.nodes[number].state = state
        self.settle()


@dataclass
class Subject:
    """A scheduler on a clock, and its tasks."""

    clock: Any = field(default_factory=timerwheel.Clock)
    tasks: list[Task] = field(default_factory=list)
    held: dict[int, Deferred[Any]] = field(default_factory=dict)
    runs: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.clock, budget=float("inf"))

    def add(self, node: Node) -> None:
        options = {
            "after": [self.tasks[each] for each in node.after],
            "require_success": node.require_success,
        }
        if node.delay is None:
            task = self.scheduler.call(self.run, node, **options)  # type: ignore[arg-type]
        else:
            task = self.scheduler.call_later(node.delay, self.run, node, **options)  # type: ignore[arg-type]
        task.deferred.addErrback(lambda _: None)
        self.tasks.append(task)

    def run(self, node: Node) -> Any:
        self.runs[node.number] += 1
        dependencies = [self.tasks[each] for each in node.after]
        assert all(task.done for task in dependencies)
        if node.require_success:
            assert [task.result for task in dependencies] == node.after
        if node.kind is RAISES:
            raise KeyError(node.number)
        if node.kind is RETURNS:
            return node.number
        self.held[node.number] = Deferred()
        return self.held[node.number]


def assert_agrees(oracle: Oracle, subject: Subject) -> None:
    found = [task.state.value for task in subject.tasks]
    assert found == [node.state for node in oracle.nodes]
    not_done = [task for task in subject.tasks if not task.done]
    assert subject.scheduler.tasks == not_done
    for node, task in zip(oracle.nodes, subject.tasks, strict=True):
        if node.is_for_another:
            error = task._told().value
            assert isinstance(error, DependencyError)
            assert subject.tasks.index(error.task) in oracle.roots(node)
            assert subject.runs[node.number] == 0
        elif node.state in ("running", "succeeded"):
            assert subject.runs[node.number] == 1
        else:
            assert subject.runs[node.number] <= 1


ADD, TURN, FIRE, CANCEL = "add", "turn", "fire", "cancel"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_graph_does_what_the_oracle_says(data: st.DataObject) -> None:
    oracle, subject = Oracle(), Subject()
    for _ in range(data.draw(st.integers(1, 30), "steps")):
        action = data.draw(st.sampled_from([ADD, ADD, ADD, TURN, FIRE, CANCEL]), "action")
        numbers = st.integers(0, max(0, len(oracle.nodes) - 1))
        if action is ADD:
            node = Node(
                len(oracle.nodes),
                data.draw(st.lists(numbers, max_size=4)) if oracle.nodes else [],
                data.draw(st.booleans()),
                data.draw(st.sampled_from([RETURNS, WAITS, RAISES])),
                data.draw(st.sampled_from([None, None, 1, 3])),
            )
            oracle.add(node)
            subject.add(node)
        elif action is TURN:
            seconds = data.draw(st.integers(0, 2), "seconds")
            oracle.turn(seconds)
            subject.clock.advance(seconds)
        elif action is FIRE and subject.held:
            number = data.draw(st.sampled_from(sorted(subject.held)), "held")
            succeeds = data.draw(st.booleans(), "succeeds")
            held = subject.held.pop(number)
            if not held.called:
                oracle.end(number, "succeeded" if succeeds else "failed")
                held.callback(number if succeeds else Failure(KeyError(number)))  # type: ignore[no-untyped-call]
        elif action is CANCEL and oracle.nodes:
            number = data.draw(numbers, "cancelled")
            if oracle.nodes[number].state not in ("succeeded", "failed", "cancelled"):
                oracle.end(number, "cancelled")
            subject.tasks[number].cancel()
        assert_agrees(oracle, subject)
    subject.scheduler.close(0)
    subject.clock.advance(0)
    assert subject.scheduler.tasks == []
    assert subject.clock.getDelayedCalls() == []
