"""timerwheel.watch(origins=...): who scheduled a call."""

from __future__ import annotations

import _thread
import sys
import time
from typing import Any

from helpers import run_on
from twisted.internet.base import ReactorBase
from twisted.internet.task import LoopingCall

import timerwheel
from timerwheel._methods import twisteds
from timerwheel.observe import SlowCall


def other() -> None:
    """Another function."""


def this_line() -> int:
    return sys._getframe(1).f_lineno


def origins_of(reactor: Any) -> set[str]:
    return {group.name for group in timerwheel.pending(reactor, by="origin")}


def schedule(reactor: Any) -> int:
    reactor.callLater(5, other)
    return this_line() - 1


def test_the_nearest_two_frames_are_remembered(reactor: Any, watch: Any) -> None:
    watch(origins=True)
    inner = schedule(reactor)
    outer = this_line() - 1
    (origin,) = origins_of(reactor)
    name = "test_the_nearest_two_frames_are_remembered"
    assert origin == f"{__file__}:{inner} in schedule, called by {__file__}:{outer} in {name}"


def test_frames_of_twisted_are_passed_over(reactor: Any, watch: Any) -> None:
    watch(origins=True)
    looping = LoopingCall(other)
    looping.clock = reactor
    looping.start(5, now=False)
    line = this_line() - 1
    (origin,) = origins_of(reactor)
    assert origin.startswith(f"{__file__}:{line} in test_frames_of_twisted_are_passed_over")


def test_what_runs_the_reactor_did_not_schedule_what_twisted_schedules() -> None:
    found = run_on(
        "epoll",
        """
    from twisted.internet.task import LoopingCall
    def look():
        print(json.dumps([group.name for group in timerwheel.pending(reactor, by="origin")]))
        reactor.stop()
    timerwheel.watch(reactor, origins=True)
    looping = LoopingCall(reactor.callWhenRunning, int)
    reactor.callWhenRunning(reactor.callLater, 0, looping.start, 60)
    reactor.callWhenRunning(reactor.callLater, 0, reactor.callLater, 0, look)
    reactor.run()
""",
    )
    assert len(found) == 1
    assert "task.py:" in found[0]
    assert "called by" not in found[0]


def test_a_call_that_twisteds_own_function_made_has_its_origin(reactor: Any, watch: Any) -> None:
    watch(origins=True)
    original = twisteds(ReactorBase, "callLater")
    original(reactor, 5, other)
    line = this_line() - 1
    (origin,) = origins_of(reactor)
    assert origin.startswith(f"{__file__}:{line} in ")


def test_one_in_so_many(reactor: Any, watch: Any) -> None:
    watch(origins=10)
    for _ in range(100):
        schedule(reactor)
    groups = timerwheel.pending(reactor, by="origin")
    assert [group.count for group in groups] == [90, 10]
    assert groups[0].name == "not known"


def test_without_origins_a_call_gets_no_dict(reactor: Any, watch: Any) -> None:
    watch()
    schedule(reactor)
    (call,) = reactor.getDelayedCalls()
    assert vars(call) == {}
    assert origins_of(reactor) == {"not known"}


def test_a_slow_call_is_told_with_its_origin(reactor: Any, watch: Any) -> None:
    slow: list[SlowCall] = []
    watch(slow=0, on_slow=slow.append, origins=True)
    reactor.callLater(0, time.perf_counter)
    line = this_line() - 1
    reactor.runUntilCurrent()
    assert slow[0].origin is not None
    assert slow[0].origin.startswith(f"{__file__}:{line} in ")
    assert f"; scheduled at {__file__}:{line}" in str(slow[0])


def test_code_without_a_module_is_the_programs(reactor: Any, watch: Any) -> None:
    watch(origins=True)
    exec("reactor.callLater(5, int)", {"reactor": reactor})
    (origin,) = origins_of(reactor)
    assert origin.startswith("<string>:1 in <module>, called by ")


def test_a_thread_without_python_code_has_no_origin(reactor: Any, watch: Any) -> None:
    watch(origins=True)
    _thread.start_new_thread(reactor.callLater, (5, other))
    deadline = time.monotonic() + 60
    while not reactor.getDelayedCalls() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert origins_of(reactor) == {"not known"}
