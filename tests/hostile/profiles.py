"""What kinds of programs there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hostile import memory, patches, system, timers, travel
from hostile.draw import Draw
from hostile.steps import Script, Step
from hostile.world import Setting

Weights = dict[type[Step], float]


@dataclass(frozen=True)
class Profile:
    """Programs of a kind.

    kinds, in_scripts: their steps and how often each comes. share: how many of all programs.
    once: a step that a program has once.
    alone: each side of a program has a process of its own, with a stack of so many bytes.
    """

    name: str
    share: float
    setting: Callable[[Random], Setting]
    kinds: Weights
    in_scripts: Weights = field(default_factory=dict)
    most_steps: int = 16
    once: type[Step] | None = None
    alone: bool = False
    stack: int | None = None

    def program(self, seed: str) -> Program:
        """The program of a seed."""
        chance = Random(seed)
        setting = self.setting(chance)
        draw = Draw(chance, self.kinds, self.in_scripts)
        steps = list(draw.program(self.most_steps))
        if self.once is not None:
            steps.insert(chance.randrange(len(steps)), draw.step(self.once))
        return Program(self.name, setting, tuple(steps))


@dataclass(frozen=True)
class Program:
    """A setting and steps."""

    profile: str
    setting: Setting
    steps: Script

    def __str__(self) -> str:
        return "".join(f"    {line}\n" for line in (self.setting, *self.steps))


FAIR: Weights = {
    timers.CallLater: 20,
    timers.Cancel: 5,
    timers.Reset: 4,
    timers.Delay: 4,
    timers.Look: 2,
    timers.Move: 2,
    timers.Pass: 8,
    timers.Iterate: 2,
    timers.Timeout: 2,
    timers.FromThread: 1,
}
FAIR_SCRIPT: Weights = {
    timers.CallLater: 10,
    timers.Cancel: 5,
    timers.Reset: 3,
    timers.Delay: 3,
    timers.Move: 1,
    timers.Pass: 2,
    timers.Iterate: 2,
    timers.Fail: 3,
    timers.Stop: 0.3,
}
TURNS: Weights = {patches.Turn: 3}
PATCHES: Weights = {
    patches.Patch: 14,
    patches.Unpatch: 9,
    patches.UnpatchAll: 1,
    patches.PatchDict: 1,
    memory.Collect: 1,
}
MEMORY: Weights = {
    memory.Drop: 4,
    memory.Cycle: 3,
    memory.Forget: 3,
    memory.Collect: 3,
    patches.PatchHandle: 4,
}


def plain(chance: Random) -> Setting:
    """A reactor without I/O."""
    kept = []
    for name in ("threadCallQueue", "_justStopped"):
        if chance.random() < 0.1:
            kept.append((name, chance.choice(["property", "slot"])))
    return Setting(
        clock=chance.choice(["instance", "instance", "class"]),
        kept=tuple(kept),
        wheel=chance.random() < 0.85,
        installed=chance.random() < 0.2,
        looks=chance.random() < 0.6,
    )


def on_wall_clock(chance: Random) -> Setting:
    return Setting(clock="wall", wheel=chance.random() < 0.8, looks=chance.random() < 0.6)


def travelled(chance: Random) -> Setting:
    return Setting(clock="wall", wheel=chance.random() < 0.8, travelled=True)


def with_descriptors(chance: Random) -> Setting:
    return Setting(
        reactor=chance.choice(["epoll", "epoll", "poll", "select"]),
        wheel=chance.random() < 0.9,
        installed=chance.random() < 0.2,
        looks=False,
    )


PROFILES = [
    Profile("patches", 0.3, plain, FAIR | TURNS | PATCHES, FAIR_SCRIPT | TURNS | PATCHES),
    Profile(
        "memory",
        0.3,
        plain,
        FAIR | TURNS | MEMORY | {system.Replace: 1},
        FAIR_SCRIPT | TURNS | MEMORY,
    ),
    Profile(
        "mixed",
        0.27,
        plain,
        FAIR | TURNS | PATCHES | MEMORY | {system.Replace: 1, timers.Run: 1},
        FAIR_SCRIPT | TURNS | PATCHES | MEMORY,
        most_steps=30,
    ),
    Profile(
        "travel",
        0.05,
        on_wall_clock,
        FAIR | TURNS | {travel.Travel: 6, travel.Shift: 12, travel.Return: 5},
        FAIR_SCRIPT,
    ),
    Profile(
        "travelled",
        0.01,
        travelled,
        FAIR | TURNS | {travel.Travel: 6, travel.Shift: 12, travel.Return: 5},
        FAIR_SCRIPT,
        alone=True,
    ),
    Profile(
        "threads",
        0.05,
        plain,
        FAIR | {timers.FromThread: 5, system.ThreadsTurn: 10},
        FAIR_SCRIPT,
        most_steps=10,
    ),
    Profile(
        "descriptors",
        0.01,
        with_descriptors,
        FAIR
        | TURNS
        | {
            system.Wait: 15,
            system.Fork: 3,
            system.CloseAlarm: 6,
            system.OpenFile: 4,
            system.CloseFile: 2,
            system.ReadFiles: 6,
            system.NewPoller: 4,
            system.CloseRange: 3,
        },
        FAIR_SCRIPT | TURNS,
        alone=True,
    ),
    Profile("chains", 0.005, plain, FAIR, FAIR_SCRIPT, once=memory.Chain, alone=True, stack=2**19),
    Profile(
        "tags",
        0.001,
        plain,
        FAIR | PATCHES,
        FAIR_SCRIPT | PATCHES,
        once=patches.Exhaust,
        alone=True,
    ),
]
