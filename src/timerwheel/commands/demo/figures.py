"""The figures of the demonstration: what users feel first, each with its spread over the rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from timerwheel.commands.demo.plan import Plan
from timerwheel.commands.demo.result import ServerResult
from timerwheel.commands.demo.rounds import SIDES, Round

ENOUGH = 3
"""The least rounds for a verdict."""

SMALL = 0.02
"""A difference below this share counts as none."""

KEPT = 0.98
"""The least share of the messages that a side echoes if it keeps the pace."""

MIB = 1024 * 1024


@dataclass(frozen=True)
class Kind:
    """A kind of figure. Less is better in all of them.

    @ivar label: what it is.
    @ivar unit: of the value.
    @ivar value: takes it from what a server measured.
    @ivar per_message: whether it says something only if both sides did the same work.
    """

    label: str
    unit: str
    value: Callable[[ServerResult], float]
    per_message: bool = False


KINDS = (
    Kind("longest stall", "ms", lambda r: 1e3 * r.longest_pass),
    Kind("lateness of timers, 99 %", "ms", lambda r: 1e3 * r.lateness_p99),
    Kind("lateness of timers, median", "ms", lambda r: 1e3 * r.lateness_p50),
    Kind("memory", "MiB", lambda r: r.resident / MIB),
    Kind("garbage collector", "ms a second", lambda r: 1e3 * r.collecting / r.seconds),
    Kind("CPU a message", "us", lambda r: 1e6 * r.cpu / max(1, r.messages), True),
)


@dataclass(frozen=True)
class Spread:
    """A figure of one side over all rounds: the middle, the least, the most."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """@param values: one a round."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Figure:
    """A figure on both sides.

    @ivar verdict: what the rounds say of the difference, in words.
    """

    kind: Kind
    stock: Spread
    ours: Spread
    verdict: str


def figures(rounds: Sequence[Round], plan: Plan) -> list[Figure]:
    """@return: all of them, in the order in which they are shown."""
    same = not behind(rounds, plan)
    return [_figure(kind, rounds, same) for kind in KINDS]


def _figure(kind: Kind, rounds: Sequence[Round], same_work: bool) -> Figure:
    stock = [kind.value(one.stock.server) for one in rounds]
    ours = [kind.value(one.ours.server) for one in rounds]
    comparable = same_work or not kind.per_message
    said = verdict(stock, ours) if comparable else "not compared, see below"
    return Figure(kind, Spread.of(stock), Spread.of(ours), said)


def verdict(stock: Sequence[float], ours: Sequence[float]) -> str:
    """The verdict of the rounds: how many times less ours is, or that there is no difference.

    There is no difference if the rounds do not agree on which side has less, or if it is below 2 %.

    @param stock, ours: a value a round, in their order.
    """
    pairs = list(zip(stock, ours, strict=True))
    if len(pairs) < ENOUGH:
        return f"too few rounds to say: {ENOUGH} are needed"
    less = all(mine < theirs for theirs, mine in pairs)
    more = all(mine > theirs for theirs, mine in pairs)
    large, small = (median(stock), median(ours)) if less else (median(ours), median(stock))
    if not (less or more) or small > large * (1 - SMALL):
        return "no difference"
    if small < large / 1000:
        return "gone" if less else "new"
    return f"{times(large / small)} x {'less' if less else 'more'}"


def times(ratio: float) -> str:
    """@return: a ratio to two or three digits."""
    return f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def quantity(value: float) -> str:
    """@return: a value to three digits or so."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def heading(rounds: Sequence[Round]) -> str:
    """@return: what was compared."""
    one = rounds[0]
    return f"An echo server on {one.stock.server.reactor} and on {one.ours.server.reactor}"


def notes(rounds: Sequence[Round], plan: Plan) -> list[str]:
    """The work, and how to read the figures: some two sentences each."""
    work = (
        f"Each second {plan.messages:,} messages of {plan.connections:,} clients and "
        f"{plan.churn:,} operations on timers, while {plan.timers:,} others are pending"
    )
    return [
        f"{len(rounds)} rounds of {plan.seconds:g} s on each side, in turn. A figure is the middle "
        "round, with the least and the most in brackets. "
        '"No difference": the rounds do not agree on which side has less.',
        f"{work}. {_same_work(rounds, plan)}{_checked(rounds)}",
    ]


def behind(rounds: Sequence[Round], plan: Plan) -> dict[str, float]:
    """The sides that did not keep the pace: the share of the messages that each echoed."""
    shares = {}
    for side in SIDES:
        servers = [getattr(one, side).server for one in rounds]
        asked = sum(plan.messages * server.seconds for server in servers)
        shares[side] = sum(server.messages for server in servers) / asked
    return {side: share for side, share in shares.items() if share < KEPT}


def _same_work(rounds: Sequence[Round], plan: Plan) -> str:
    sides = [f"{side} echoed {share:.0%}" for side, share in behind(rounds, plan).items()]
    if not sides:
        return "The same work on both sides."
    return (
        f"Not the same work on both sides: of the messages {' and '.join(sides)}. The server or "
        "the machine was too busy."
    )


def _checked(rounds: Sequence[Round]) -> str:
    return "" if any(one.problems for one in rounds) else " No timer was early, none was lost."
