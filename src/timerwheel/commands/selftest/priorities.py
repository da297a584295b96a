"""The priority queue, compared to a sorted list."""

from __future__ import annotations

from random import Random

from timerwheel import PriorityEntry, PriorityQueue
from timerwheel.commands.selftest.failures import require


def check_priority_queue(seed: int, steps: int) -> str:
    """Run random operations on a queue, and check its first item after each.

    @return: what was done.

    @raise CheckFailedError: it is not what it should be.
    """
    random = Random(seed)
    queue: PriorityQueue[int] = PriorityQueue()
    # By its place in the order: the priority, and the step at which it was pushed.
    expected: dict[tuple[int, int], PriorityEntry[int]] = {}
    for step in range(steps):
        action = random.choice(("push", "push", "pop", "remove", "update"))
        priority = random.randrange(100)
        if action == "push" or not expected:
            expected[priority, step] = queue.push(priority, step)
        elif action == "pop":
            item = expected.pop(min(expected)).item
            require(queue.pop() == item, f"pop() at step {step} is not {item}")
        else:
            entry = expected.pop(random.choice(list(expected)))
            if action == "remove":
                queue.remove(entry)
            else:
                queue.update(entry, priority)
                expected[priority, entry.item] = entry
        queue.check_invariants()
        require(len(queue) == len(expected), f"at step {step} the queue has a wrong length")
    items = [expected[place].item for place in sorted(expected)]
    require(list(queue) == items, "the rest is out of order")
    return f"{steps:,} steps, {len(queue):,} items left"
