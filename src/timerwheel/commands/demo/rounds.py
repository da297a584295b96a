"""The rounds: both sides in turn, so that a disturbance of the machine meets both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from timerwheel.commands.demo.plan import Plan
from timerwheel.commands.demo.result import SideResult
from timerwheel.commands.demo.runner import Page, run_side

SIDES = ("stock", "ours")
"""The two sides, in the order in which they take turns."""


class Audience(Protocol):
    """Who is told what goes on."""

    def begin(self, number: int, side: str) -> None:
        """A side begins round `number`; the first is 0."""

    def advance(self, seconds: float) -> None:
        """So many seconds of it have passed."""

    def say(self, line: str) -> None:
        """Something that the user should read now."""


@dataclass(frozen=True)
class Round:
    """The results of both sides, one after the other."""

    stock: SideResult
    ours: SideResult

    @property
    def problems(self) -> list[str]:
        """All that went wrong, with the side."""
        return [f"{side}: {problem}" for side in SIDES for problem in getattr(self, side).problems]


def run_rounds(
    reactor: str, plan: Plan, rounds: int, audience: Audience, port: int | None = None
) -> list[Round]:
    """Run both sides so many times.

    @param reactor: the short name of the reactor.
    @param port: where our side has its page; 0 is any port that is free, `None` no page.

    @raise SideError: a process ended without a result.
    """

    def announce(url: str) -> None:
        audience.say(f"Our side's timers: {url} or: timerwheel top {url}")

    def play(number: int, side: str) -> SideResult:
        audience.begin(number, side)
        page = Page(port, announce) if side == "ours" and port is not None else None
        return run_side(side, reactor, plan, audience.advance, page)

    return [Round(*(play(number, side) for side in SIDES)) for number in range(rounds)]
