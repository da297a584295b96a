"""Runs programs in children, compares what the sides showed, and shrinks those that differ."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from model.runner import smaller

from hostile.children import HANGS, EndedError, answers
from hostile.profiles import PROFILES, Profile, Program
from hostile.sides import Trace, put_classes_back, run_side
from hostile.steps import Step
from hostile.world import Setting

# Programs in one child, unless they are to be alone.
BATCH = 250


@dataclass(frozen=True)
class Difference:
    """What a program first shows that differs between the sides: after which step, and where."""

    step: str
    field: str
    stock: Any
    ours: Any

    @property
    def group(self) -> str:
        """What differences have in common that may have one cause."""
        if self.field == "alive":
            return "alive: the reactor" if "reactor" in self.ours else f"alive: {self.ours}"
        if self.field == "process":
            return f"process: stock {_last_line(self.stock)}, ours {_last_line(self.ours)}"
        if self.field in ("outcome", "logged"):
            return f"{self.field}: stock {self.stock}, ours {self.ours}"
        return f"{self.field} after {self.step}"

    def __str__(self) -> str:
        return f"after {self.step}: {self.field}\n      stock {self.stock}\n      ours  {self.ours}"


@dataclass
class Failure:
    """A program that differs, the smallest that does so too, and how many more did."""

    seed: str
    program: Program
    difference: Difference
    count: int = 1
    before: list[str] = field(default_factory=list)


@dataclass
class Result:
    """What came of a run."""

    programs: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def differing(self) -> int:
        return sum(failure.count for failure in self.failures.values())


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def compare(stock: Trace, ours: Trace) -> Difference | None:
    """The first difference."""
    for (step, expected), (_, got) in zip(stock, ours, strict=True):
        for name, value in expected.items():
            if got[name] != value:
                return Difference(step, name, value, got[name])
    return None


def both_sides(program: Program) -> Difference | None:
    """Run a program on both sides, in this process."""
    stock = run_side(program.setting, program.steps, ours=False)
    return compare(stock, run_side(program.setting, program.steps, ours=True))


def alone(profile: Profile, program: Program) -> Difference | None:
    """Run a program in children of its own: a child for each side, or for both, by its profile."""
    if not profile.alone:
        try:
            return next(answers(lambda: iter([both_sides(program)])))
        except EndedError as end:
            return Difference("some step", "process", "", str(end))
    stock, ours = (_side_alone(profile, program, side) for side in (False, True))
    if isinstance(stock, EndedError):
        return None  # what Twisted's own does not survive is no measure
    if isinstance(ours, EndedError):
        return Difference("some step", "process", "ends", str(ours))
    return compare(stock, ours)


def _side_alone(profile: Profile, program: Program, ours: bool) -> Trace | EndedError:
    def run() -> Iterator[Trace]:
        prepare(program.setting)
        yield run_side(program.setting, program.steps, ours)

    try:
        return next(answers(run, profile.stack))
    except EndedError as end:
        return end


def prepare(setting: Setting) -> None:
    """Use timerwheel for the first time in this process."""
    if setting.travelled:
        import time_machine
        from helpers import StockReactor

        from timerwheel import accelerate

        with time_machine.travel(0):
            accelerate(StockReactor())
        put_classes_back()


def run(
    profile: Profile, seed: int, programs: int, tell: Callable[[int], object] = lambda done: None
) -> Result:
    """Run so many programs of a profile. tell is called with how many are done."""
    result = Result()
    size = 1 if profile.alone else BATCH
    for begin in range(0, programs, size):
        seeds = [f"{profile.name} {seed} {n}" for n in range(begin, min(begin + size, programs))]
        run_batch(profile, seeds, result)
        tell(result.programs)
    return result


def run_batch(profile: Profile, seeds: list[str], result: Result) -> None:
    """Run the programs of these seeds. After one that crashes, or hangs, goes on with the next."""
    done = 0
    while done < len(seeds):
        try:
            for difference in differences(profile, seeds[done:]):
                note(profile, seeds[done], seeds[:done], difference, result)
                done += 1
        except EndedError as end:
            difference = Difference("some step", "process", "", str(end))
            note(profile, seeds[done], seeds[:done], difference, result)
            done += 1


def differences(profile: Profile, seeds: list[str]) -> Iterator[Difference | None]:
    """What each program shows. Raises EndedError where a child ends."""
    if profile.alone:
        return iter([alone(profile, profile.program(seed)) for seed in seeds])
    return answers(lambda: (both_sides(profile.program(seed)) for seed in seeds))


def note(
    profile: Profile, seed: str, before: list[str], difference: Difference | None, result: Result
) -> None:
    """Count a program. The first of each kind of difference is shrunk."""
    program = profile.program(seed)
    result.programs += 1
    result.kinds.update(type(step).__name__ for step in all_steps(program.steps))
    if difference is None:
        return
    if difference.group in result.failures:
        result.failures[difference.group].count += 1
        return
    result.failures[difference.group] = smallest(profile, seed, before, difference)


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Steps, and those of their scripts."""
    for step in steps:
        yield step
        yield from all_steps(getattr(step, "script", ()))


def smallest(profile: Profile, seed: str, before: list[str], difference: Difference) -> Failure:
    """What is left of a program when all is taken away that it differs without."""
    program = profile.program(seed)
    if difference.ours == HANGS:  # each try would take as long
        return Failure(seed, program, difference)
    if not repeats(profile, program, difference):
        # It depends on those that ran before it in its process; or on threads.
        return Failure(seed, program, difference, before=fewest_before(profile, seed, before))
    again = True
    while again:
        again = False
        for candidate in candidates(program):
            found = alone(profile, candidate)
            if found is not None and alike(found, difference):
                program, difference, again = candidate, found, True
                break
    return Failure(seed, program, difference)


def repeats(profile: Profile, program: Program, difference: Difference) -> bool:
    """Whether a program shows the difference by itself: with threads, not always."""
    for _ in range(5):
        found = alone(profile, program)
        if found is not None and alike(found, difference):
            return True
    return False


def alike(found: Difference, difference: Difference) -> bool:
    """Whether it is the same that differs, be it after another step."""
    if difference.field in ("outcome", "alive", "process", "logged"):
        return found.group == difference.group
    return found.field == difference.field


def candidates(program: Program) -> Iterator[Program]:
    """The same program with less in it."""
    for steps in smaller(program.steps):
        yield replace(program, steps=steps)
    usual = Setting()
    for part in fields(Setting):
        if getattr(program.setting, part.name) != getattr(usual, part.name):
            setting = replace(program.setting, **{part.name: getattr(usual, part.name)})
            yield replace(program, setting=setting)


def fewest_before(profile: Profile, seed: str, before: list[str]) -> list[str]:
    """The last programs before one without which it does not differ."""
    count = 1
    while count < len(before):
        if fails_after(profile, seed, before[-count:]):
            break
        count *= 2
    return before[-count:]


def fails_after(profile: Profile, seed: str, before: list[str]) -> bool:
    try:
        *_, last = differences(profile, [*before, seed])
    except EndedError:
        return True
    return last is not None


def profile_named(name: str) -> Profile:
    return next(profile for profile in PROFILES if profile.name == name)


def settle() -> None:
    """What is there already is not to be collected: the children's collections are quick."""
    gc.collect()
    gc.disable()
    gc.freeze()
