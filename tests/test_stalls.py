"""timerwheel.watch(stall=...): calls that are stuck."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from helpers import fire, formatted, queue_of

from timerwheel.observe import Watch
from timerwheel.observe._stalls import StallThread


@pytest.fixture
def quiet_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that looks for stuck calls does not start: a test looks itself."""
    monkeypatch.setattr(StallThread, "start", lambda thread: None)


def looker(reactor: Any, watching: Watch) -> StallThread:
    calls = queue_of(reactor).watch
    assert calls is not None
    return StallThread(watching, calls, 1)


@pytest.mark.usefixtures("quiet_thread")
def test_a_stuck_call_is_told_once_with_its_stack_and_then_its_end(
    reactor: Any, watch: Any, logged: list[Any]
) -> None:
    watching = watch(stall=1e-9, slow=3600)
    thread = looker(reactor, watching)

    def be_stuck() -> None:
        time.sleep(0.001)
        assert thread.look()
        assert thread.look()

    fire(reactor, (be_stuck,))
    stuck, ended = formatted(logged)
    assert "be_stuck" in stuck.partition(" has not returned for ")[0]
    assert f'File "{__file__}", line {be_stuck.__code__.co_firstlineno + 2}, in be_stuck' in stuck
    assert " has returned after " in ended
    assert ended.endswith(" s")
    assert watching.stalls == 1
    logged.clear()
    fire(reactor, (be_stuck,))
    assert (len(logged), watching.stalls) == (2, 2)
    watching.stop()
    assert not thread.look()


@pytest.mark.usefixtures("quiet_thread")
def test_a_stuck_call_at_which_nobody_could_look_is_told_in_the_end(
    reactor: Any, watch: Any, logged: list[Any]
) -> None:
    watching = watch(stall=1e-9, slow=3600)
    fire(reactor, (time.sleep, 0.001))
    (ended,) = formatted(logged)
    assert ended.startswith("time.sleep has returned after ")
    assert ended.endswith(" s, before its stack could be looked at")
    assert watching.stalls == 1


@pytest.mark.usefixtures("quiet_thread")
def test_a_stuck_call_around_another_is_told(reactor: Any, watch: Any, logged: list[Any]) -> None:
    thread = looker(reactor, watch(stall=1e-9, slow=3600))

    def around() -> None:
        reactor.runUntilCurrent()
        assert thread.look()

    fire(reactor, (around,), (time.sleep, 0.001))
    inner, stuck, ended = formatted(logged)
    assert inner.startswith("time.sleep has returned after ")
    assert "around" in stuck.partition(" has not returned for ")[0]
    assert "around" in ended.partition(" has returned after ")[0]


@pytest.mark.usefixtures("quiet_thread")
def test_a_call_that_is_not_stuck_is_not_told(reactor: Any, watch: Any, logged: list[Any]) -> None:
    watching = watch(stall=3600)
    thread = looker(reactor, watching)
    fire(reactor, (thread.look,))
    assert thread.look()
    assert (logged, watching.stalls) == ([], 0)


def test_a_thread_tells_of_it_while_it_is_stuck(
    reactor: Any, watch: Any, logged: list[Any]
) -> None:
    from twisted.logger import globalLogPublisher

    told = threading.Event()

    def observe(event: Any) -> None:
        if "has not returned" in event.get("log_format", ""):
            told.set()

    globalLogPublisher.addObserver(observe)
    try:
        watching = watch(stall=0.02, slow=3600)
        fire(reactor, (told.wait, 60))
    finally:
        globalLogPublisher.removeObserver(observe)
    assert told.is_set()
    assert "threading.Event.wait" in formatted(logged)[0]
    assert "waiter.acquire" in formatted(logged)[0]
    assert watching.stalls == 1


def test_a_stall_may_be_longer_than_a_thread_can_sleep(reactor: Any, watch: Any) -> None:
    failures: list[Any] = []
    others = set(threading.enumerate())
    before, threading.excepthook = threading.excepthook, failures.append
    try:
        watching = watch(stall=1e300)
        (thread,) = set(threading.enumerate()) - others
        watching.stop()
        thread.join(30)
    finally:
        threading.excepthook = before
    assert not thread.is_alive()
    assert not failures


def test_the_thread_ends_with_the_watch(reactor: Any, watch: Any) -> None:
    before = set(threading.enumerate())
    watching = watch(stall=0.02)
    (thread,) = set(threading.enumerate()) - before
    watching.stop()
    thread.join(60)
    assert not thread.is_alive()
