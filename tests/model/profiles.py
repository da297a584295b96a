"""What is compared with what."""

from __future__ import annotations

from collections.abc import Callable

from helpers import FakeClock

import timerwheel
from model import actions
from model.draw import Vocabulary
from model.lockstep import Profile
from model.oracles import ClockOracle, Oracle, StockOracle, TurningOracle, WheelOracle
from model.sides import report
from model.subjects import (
    Asyncio,
    ClockSubject,
    OrderedClock,
    OrderedStock,
    Ours,
    ReactorSubject,
    SteadyClock,
    Stock,
    StockClock,
    Turning,
    Watched,
    WheelSubject,
)

# A clock set by hand, a fresh one, one of a machine that is up for 12 days, wall time, before it.
EXACT_STARTS = (100.0, 0.0, 12 * 86400.0, 1.7e9, -1.0e6)
STARTS = (*EXACT_STARTS, 2.0**33 + 0.3)

# What reactors alone can do; asyncio's does it otherwise, or not here.
OF_REACTORS = (actions.Turn, actions.FromThread)


def oracle(
    oracle_class: type[Oracle], clock_class: type[FakeClock] = FakeClock
) -> Callable[[float], ReactorSubject]:
    """Makes a reactor's oracle."""

    def make(now: float) -> ReactorSubject:
        clock = clock_class(now)
        return ReactorSubject(oracle_class(clock, report), clock)

    return make


def on_clock(
    subject_class: Callable[[FakeClock], ReactorSubject], clock_class: type[FakeClock] = FakeClock
) -> Callable[[float], ReactorSubject]:
    """Makes a reactor."""
    return lambda now: subject_class(clock_class(now))


# In this ours and Twisted's do the same. There is no Look: while a pass is on, and for a call
# that was overdue when it was delayed, a deadline may be the sum of another `time` and
# `delayed_time` (which would show in rounded sums, too). No callback asks timeout(): Twisted's
# pass would go on with calls that were made in it.
COMMON = Vocabulary(
    without=(actions.Turn, actions.Look),
    without_in_scripts=(actions.Earliest,),
    exact=True,
    stock=True,
)

PROFILES = [
    Profile(
        "lockstep",
        oracle(Oracle),
        (on_clock(Ours), on_clock(OrderedStock)),
        COMMON,
        EXACT_STARTS,
    ),
    # Ours, in all but calls from threads. (A pass that begins with such, and in which no call is
    # due, leaves `time` and `delayed_time` as they are. Twisted's does not.)
    Profile(
        "ours",
        oracle(Oracle),
        (on_clock(Ours),),
        Vocabulary(without=OF_REACTORS),
        STARTS,
    ),
    # The same, while somebody watches: nothing else shows.
    Profile(
        "watched",
        oracle(Oracle),
        (on_clock(Watched),),
        Vocabulary(without=OF_REACTORS),
        STARTS,
    ),
    # Twisted's, in all that it survives. What the two oracles differ in the two reactors differ in.
    Profile(
        "stock",
        oracle(StockOracle),
        (on_clock(OrderedStock),),
        Vocabulary(without=(actions.Turn,), stock=True),
        STARTS,
    ),
    # Twisted's, with its heap as it is.
    Profile("heap", oracle(Oracle), (on_clock(Stock),), COMMON, EXACT_STARTS, True),
    # accelerate() and restore(), between steps and in callbacks, with handles of both kinds held.
    Profile(
        "turning",
        oracle(TurningOracle),
        (on_clock(Turning),),
        Vocabulary(without=(actions.Look,), exact=True, stock=True),
        EXACT_STARTS,
        follows=True,
    ),
    # The loop makes the passes, and is to be armed in time always.
    Profile(
        "asyncio",
        oracle(Oracle, SteadyClock),
        (on_clock(Asyncio, SteadyClock),),
        Vocabulary(without=(*OF_REACTORS, actions.Look), exact=True),
        EXACT_STARTS,
    ),
    Profile(
        "clock",
        lambda now: ClockSubject(ClockOracle(), now),
        (lambda now: ClockSubject(timerwheel.Clock(), now),),
        Vocabulary(without=OF_REACTORS),
        STARTS,
    ),
    Profile(
        "stock clock",
        lambda now: ClockSubject(ClockOracle(), now),
        (lambda now: StockClock(OrderedClock(), now),),
        Vocabulary(without=OF_REACTORS, stock=True, refused=False),
        STARTS,
    ),
    Profile(
        "wheel",
        lambda now: WheelSubject(WheelOracle(), now),
        (lambda now: WheelSubject(timerwheel.TimerWheel(now), now),),
        Vocabulary(without=(*OF_REACTORS, actions.Look)),
        STARTS,
    ),
]
