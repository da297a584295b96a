"""Runs one program on several sides and compares all that shows, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from twisted.logger import LogEvent, globalLogBeginner, globalLogPublisher

from model.actions import Action
from model.draw import Vocabulary
from model.sides import Shown, Side, report
from model.subjects import Subject


class DifferenceError(AssertionError):
    """A side does not show what the reference shows."""


@dataclass(frozen=True)
class Profile:
    """What is compared with what, and on which programs.

    reference and subjects make a subject for the time at which its clock is to start.
    follows: the reference chooses between equal times as the one subject did.
    """

    name: str
    reference: Callable[[float], Subject]
    subjects: tuple[Callable[[float], Subject], ...]
    vocabulary: Vocabulary
    starts: tuple[float, ...]
    follows: bool = False


class Lockstep:
    """A program on the sides of a profile."""

    def __init__(self, profile: Profile, start: float) -> None:
        self.follows = profile.follows
        self.reference = Side(profile.reference(start))
        self.sides = [Side(make(start)) for make in profile.subjects]
        self.steps = 0  # that were begun
        self.made = 0  # calls
        globalLogPublisher.addObserver(note_failure)

    def close(self) -> None:
        """Let go of all that the system gave."""
        globalLogPublisher.removeObserver(note_failure)
        for side in self.sides:
            side.subject.close()

    def run(self, program: Iterable[Action]) -> Exception | None:
        """Do all actions, then close. Returns what went wrong, at which it stopped."""
        try:
            for action in program:
                self.step(action)
        except Exception as error:
            return error
        finally:
            self.close()
        return None

    def step(self, action: Action) -> None:
        """Do an action on all sides. Raises DifferenceError, or what a side raises by mistake."""
        self.steps += 1
        shown = [side.step(action) for side in self.sides]
        if self.follows:
            self.reference.subject.follow(self.sides[0].made())
        expected = self.reference.step(action)
        self.made += len(self.reference.made())
        for side, got in zip(self.sides, shown, strict=True):
            compare(type(side.subject).__name__, got, expected)
            side.subject.check()


def compare(name: str, got: Shown, expected: Shown) -> None:
    """Raise DifferenceError if there is one."""
    differences = [
        f"    {field.name} should be {wanted}\n    {field.name} is        {found}"
        for field in fields(Shown)
        if (wanted := getattr(expected, field.name)) != (found := getattr(got, field.name))
    ]
    if differences:
        raise DifferenceError("\n".join([f"of {name}", *differences]))


def note_failure(event: LogEvent) -> None:
    """An observer of Twisted's log: notes what callbacks raised."""
    # Twisted before 24.10 logs them with log.err(), whose events have them under another name.
    failure = event.get("log_failure") or event.get("failure")
    if failure is not None:
        report(failure.type)


def silence() -> None:
    """Have Twisted no longer print what callbacks raise, which are many, and expected."""
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
