"""Programs at random."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hostile import memory, patches, system, timers, travel
from hostile.steps import Script, Step
from hostile.world import NAMES, OURS

MOST_DEPTH = 3


class Draw:
    """Draws steps from a source of chance.

    kinds, in_scripts: the steps of a program and of a script, and how often each comes.
    """

    def __init__(
        self, chance: Random, kinds: dict[type[Step], float], in_scripts: dict[type[Step], float]
    ) -> None:
        self.chance = chance
        self.kinds = kinds
        self.in_scripts = in_scripts
        self.depth = 0  # of the script that is being drawn

    def program(self, most: int) -> Script:
        """A program of at most so many steps."""
        kinds, weights = list(self.kinds), list(self.kinds.values())
        count = self.chance.randint(3, most)
        return tuple(self.step(kind) for kind in self.chance.choices(kinds, weights, k=count))

    def step(self, kind: type[Step]) -> Step:
        """A step of this kind."""
        if kind is patches.Patch:
            return self.patch()
        if kind is timers.CallLater:
            return self.call_later()
        return kind(*(draw(self) for draw in ARGUMENTS.get(kind, ())))

    def script(self) -> Script:
        """What a callback does: nothing, mostly."""
        if self.depth == MOST_DEPTH or self.chance.random() < 0.6:
            return ()
        kinds, weights = list(self.in_scripts), list(self.in_scripts.values())
        self.depth += 1
        script = tuple(
            self.step(kind)
            for kind in self.chance.choices(kinds, weights, k=self.chance.randint(1, 3))
        )
        self.depth -= 1
        return script

    def cancelling(self) -> Script:
        """A script that leaves no calls."""
        return (patches.CallAndCancel(),) * self.chance.randrange(3)

    def which(self) -> int:
        return self.chance.randrange(20)

    def last(self) -> int:
        """A patch: the last, mostly."""
        return self.chance.choice([-1, -1, -1, 0, 1, 2])

    def delay(self) -> int:
        return self.chance.choice([0, 0, 1, 1, 2, 5, 60, 100_000])

    def seconds(self) -> int:
        return self.chance.choice([0, 0, 1, 1, 3, 60, 3600])

    def files(self) -> int:
        return self.chance.randrange(4)

    def flag(self) -> bool:
        return self.chance.random() < 0.5

    def call_later(self) -> Step:
        """A call. What destructors do may be done in the middle of a cancel."""
        kind = self.chance.choice(["function", "method", "partial", "instance"])
        argument = self.chance.choice(
            ["", "", "token", "cycle", "destructor", "watched", "reaches"]
        )
        if argument not in ("destructor", "watched", "reaches"):
            return timers.CallLater(self.delay(), kind, argument, self.script())
        before, self.in_scripts = self.in_scripts, DESTRUCTORS
        script = self.script()
        self.in_scripts = before
        return timers.CallLater(self.delay(), kind, argument, script)

    def patch(self) -> Step:
        """A patch: what can be patched where, and how."""
        target = self.chance.choice(["instance", "instance", "class", "class", "base", "call"])
        if target == "call":
            return patches.Patch(target, "debug", "value", self.chance.choice(["mock", "keep"]))
        name = self.chance.choice(NAMES)
        if name == "_insertNewDelayedCalls" and target == "instance":
            target = "class"  # on the instance it is the wheel's, see docs/differences.md
        hows = HOWS.get(name, ["function", "hook", "hook", "mock", "autospec"])
        if target == "instance":
            hows = [how for how in hows if how != "property"]
        by = ["mock", "keep"]
        how = self.chance.choice(hows) if hows else "value"
        if target != "instance" and how == "value":  # which the instance's own hides
            how = "property"
        if how in ("mock", "autospec"):
            by = ["mock"]
        elif target != "base" and (name in OURS or name == "spawnProcess"):
            by = ["mock", "keep", "delete"]
        return patches.Patch(target, name, how, self.chance.choice(by))


# What destructors do. They run no pass: Twisted's lets go of a call when it has taken the next.
DESTRUCTORS: dict[type[Step], float] = {
    timers.CallLater: 3,
    timers.Cancel: 2,
    timers.Reset: 1,
    timers.Delay: 1,
    memory.Drop: 1,
}

# How attributes are patched that are not like methods.
HOWS = {
    "callLater": ["function", "hook", "hook", "mock", "autospec", "property"],
    "seconds": ["function", "hook", "mock"],
    "threadCallQueue": ["value", "property"],
    "_justStopped": ["value", "property"],
}


def one_of(*values: Any) -> Callable[[Draw], Any]:
    """Draws one of these."""
    return lambda draw: draw.chance.choice(values)


FAILURES = one_of(
    "usual", "usual", "interrupt", "exit", "no traceback", "other traceback", "no text", "frozen"
)

ARGUMENTS: dict[type[Step], tuple[Callable[[Draw], Any], ...]] = {
    timers.Cancel: (Draw.which, Draw.flag),
    timers.Reset: (Draw.which, Draw.delay),
    timers.Delay: (Draw.which, Draw.delay),
    timers.Look: (Draw.which,),
    timers.Move: (Draw.seconds,),
    timers.Pass: (Draw.seconds,),
    timers.Iterate: (Draw.seconds,),
    timers.FromThread: (Draw.script,),
    timers.Run: (Draw.seconds,),
    timers.Fail: (FAILURES,),
    patches.Unpatch: (Draw.last,),
    patches.PatchHandle: (
        Draw.which,
        one_of("func", "args", "kw", "called", "own"),
        one_of("mock", "delete", "set"),
    ),
    patches.PatchDict: (Draw.flag, Draw.flag, Draw.cancelling),
    patches.Turn: (Draw.flag,),
    patches.Exhaust: (one_of("class", "base", "call"),),
    memory.Drop: (Draw.which,),
    memory.Cycle: (Draw.which, Draw.flag),
    memory.Forget: (Draw.flag,),
    memory.Chain: (
        one_of("argument", "method", "partial", "closure", "own method", "object"),
        one_of(200, 12_000, 12_000),
    ),
    travel.Travel: (one_of("time_machine", "time_machine", "freezegun"), Draw.seconds, Draw.flag),
    travel.Shift: (Draw.seconds,),
    system.ThreadsTurn: (one_of((True, True, True), (True, False, True), (False, False), (True,)),),
    system.Replace: (Draw.flag,),
    system.Fork: (Draw.script,),
    system.CloseAlarm: (Draw.files,),
    system.CloseFile: (Draw.which,),
    system.NewPoller: (Draw.files,),
}
