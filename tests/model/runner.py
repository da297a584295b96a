"""Runs seeded programs in a profile, and makes one that fails as small as it gets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from model.actions import Action
from model.draw import Draw
from model.lockstep import Lockstep, Profile

# How many steps a program has. The next begins with everything made anew.
PROGRAM_STEPS = 200

Steps = tuple[Action, ...]


@dataclass(frozen=True)
class Failure:
    """A program that fails, and what it fails with."""

    start: float
    steps: Steps
    error: Exception

    def __str__(self) -> str:
        steps = "".join(f"    {step}\n" for step in self.steps)
        return f"from {self.start}\n{steps}{type(self.error).__name__} {self.error}"


@dataclass(frozen=True)
class Result:
    """What came of a run: of so many steps, in which so many calls were made."""

    steps: int
    made: int
    failure: Failure | None


def run(
    profile: Profile, seed: int, steps: int, tell: Callable[[int], object] = lambda done: None
) -> Result:
    """Run so many steps, or up to the first failure. tell is called with how many are done."""
    chance = random.Random(f"{profile.name} {seed}")
    draw = Draw(chance, profile.vocabulary)
    done = made = 0
    while done < steps:
        start = chance.choice(profile.starts)
        program = tuple(draw.step() for _ in range(min(PROGRAM_STEPS, steps - done)))
        lockstep = Lockstep(profile, start)
        error = lockstep.run(program)
        done += lockstep.steps
        made += lockstep.made
        if error is not None:
            return Result(done, made, smallest(profile, start, program[: lockstep.steps]))
        tell(done)
    return Result(done, made, None)


def smallest(profile: Profile, start: float, steps: Steps) -> Failure:
    """What is left of a program that fails when all is taken away that it fails without."""
    error = Lockstep(profile, start).run(steps)
    assert error is not None, "the program fails no more: it depends on more than itself"
    for fewer in smaller(steps):
        if Lockstep(profile, start).run(fewer) is not None:
            return smallest(profile, start, fewer)
    return Failure(start, steps, error)


def smaller(steps: Steps) -> Iterator[Steps]:
    """The same program with less in it: fewer steps, callbacks that do less, simpler numbers."""
    size = len(steps)
    while size := size // 2 if size > 1 else 0:
        for begin in range(0, len(steps), size):
            yield steps[:begin] + steps[begin + size :]
    for index, step in enumerate(steps):
        for field in fields(step):
            value = getattr(step, field.name)
            for less in smaller(value) if field.name == "script" else simpler(value):
                yield (*steps[:index], replace(step, **{field.name: less}), *steps[index + 1 :])


def simpler(number: Any) -> list[int]:
    """What may be instead of a number."""
    if isinstance(number, str | bool | tuple) or number in (0, None):
        return []
    return [0] if number == 1 else [0, 1]
