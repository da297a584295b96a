"""How reactors are woken where none here shows it: other platforms', want of descriptors."""

from __future__ import annotations

import errno
import math
import os
import resource
import select
import time
from contextlib import suppress
from typing import Any

import pytest
from helpers import CallQueue, FakeClock, Waits, Watches, run_python

from timerwheel._alarm import Alarm
from timerwheel._wakers import asyncio, corefoundation, glib, milliseconds, waker_for
from timerwheel._wakers.alarm import AlarmWaker
from timerwheel._wakers.milliseconds import MillisecondWaker, up_to_whole_milliseconds
from timerwheel.reactors.pollreactor import PollReactor


@pytest.mark.parametrize("timeout", [1e-9, 0.0001, 0.001, 0.0010001, 0.007, 1.0, 86400.0003])
def test_rounding_up_survives_what_the_reactors_do(timeout: float) -> None:
    """poll, iocp and win32event wait int(timeout * 1000) ms."""
    waited = int(up_to_whole_milliseconds(timeout) * 1000)
    assert waited == math.ceil(timeout * 1000)


def test_the_waker_for_whole_milliseconds() -> None:
    reactor = Waits()
    wait = milliseconds.make(reactor).methods()["doIteration"]
    for timeout in (None, 0, 0.0, 0.0004):
        wait(timeout)
    assert reactor.waits == [None, 0, 0.0, up_to_whole_milliseconds(0.0004)]


def test_the_waker_for_core_foundation(queue: CallQueue) -> None:
    set_anew: list[int] = []

    class Reactor:
        def _scheduleSimulate(self) -> None:
            set_anew.append(1)

    waker = corefoundation.make(Reactor())
    assert waker.hook is not None
    waker.attach(queue)
    waker.hook()
    waker.detach()
    assert len(set_anew) == 3


def test_a_pass_that_fails_does_not_silence_the_hook(
    reactor: Any, queue: CallQueue, clock: FakeClock
) -> None:
    """Its owner, armed for at once, never comes to ask timeout() then: stock hears callLater()."""
    heard: list[float | None] = []
    queue.hook = lambda: heard.append(reactor.timeout())
    reactor.callLater(0, int)
    reactor.seconds = lambda: {}["a clock that fails once"]
    with pytest.raises(KeyError):
        reactor.runUntilCurrent()
    reactor.seconds = clock
    reactor.callLater(5, int)
    assert heard == [0, 0]


class IsArmed:
    """Stands for a reactor that another event loop drives."""

    _asyncioEventloop = None

    def __init__(self) -> None:
        self.armed = 0

    def _reschedule(self) -> None:
        self.armed += 1


@pytest.mark.parametrize("module", [asyncio, glib])
def test_a_reactor_without_calls_is_not_armed(module: Any, reactor: Any, queue: CallQueue) -> None:
    """It is made just now, it may be, and what timeout() of a subclass needs is not there."""
    driven = IsArmed()
    waker = module.make(driven)
    waker.attach(queue)
    assert driven.armed == 0
    reactor.callLater(1, int)
    waker.attach(queue)
    assert driven.armed == 1


def test_chosen_by_twisteds_module_also_for_subclasses() -> None:
    windows = type("IOCPReactor", (Waits,), {"__module__": "twisted.internet.iocpreactor.reactor"})
    subclass: Any = type("Subclass", (windows,), {})
    assert isinstance(waker_for(subclass()), MillisecondWaker)
    assert isinstance(waker_for(PollReactor()), AlarmWaker)


def alarm_of(waker: AlarmWaker) -> Alarm:
    assert waker._alarm is not None
    return waker._alarm


POLLERS = [select.poll, select.epoll]


def waited_without_alarm(make_poller: Any, timeout: float | None) -> float | None:
    """What the reactor is told to wait: Python's epoll rounds up by itself, and poll down."""
    if timeout is None or make_poller is select.epoll:
        return timeout
    return up_to_whole_milliseconds(timeout)


@pytest.mark.parametrize("make_poller", POLLERS)
def test_without_an_alarm_a_wait_is_as_late_as_twisteds_own_at_most(
    make_poller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an alarm is tried again after 2, 4, 8 waits and so on: trying costs system calls."""
    attempts: list[int] = []

    def no_descriptor() -> Alarm:
        attempts.append(len(reactor.waits))
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("timerwheel._wakers.alarm.Alarm", no_descriptor)
    reactor = Watches(make_poller())
    waker = AlarmWaker(reactor)
    for timeout in [0.0004, 0.0, None] * 2000:
        waker.wait(timeout)
    waits = [waited_without_alarm(make_poller, timeout) for timeout in (0.0004, 0.0, None)]
    assert reactor.waits[:3] == [waits[0], 0.0, None]
    assert reactor.waits == reactor.waits[:3] * 2000
    assert attempts == [2**n - 2 for n in range(1, 11)] + [1022 + 1024 * n for n in range(1, 5)]
    monkeypatch.undo()
    for _ in range(1024):
        waker.wait(0.0004)
    assert reactor.waits[-1] == pytest.approx(0.0024)


@pytest.mark.parametrize("make_poller", POLLERS)
def test_a_wait_ends_also_if_the_alarm_is_not_heard(make_poller: Any) -> None:
    """Closed in the middle of the wait; or told to another process that has the same epoll."""
    reactor = Watches(make_poller())
    waker = AlarmWaker(reactor)
    waker.wait(0.5)
    (wait,) = reactor.waits
    assert wait is not None
    assert 0.501 < wait < 0.51


@pytest.mark.parametrize("make_poller", POLLERS)
def test_an_alarm_that_somebody_has_closed_is_replaced(make_poller: Any) -> None:
    """As what makes a daemon closes all descriptors that it does not know."""
    reactor = Watches(make_poller())
    waker = AlarmWaker(reactor)
    waker.wait(1)
    os.close(alarm_of(waker).fileno())
    waker.wait(0.5)
    assert reactor.waits[-1] == waited_without_alarm(make_poller, 0.5)
    assert reactor._poller.poll(0) == []
    waker.wait(0.0001)
    assert reactor._poller.poll(10_000) == [(alarm_of(waker).fileno(), select.POLLIN)]


@pytest.mark.parametrize("timeout", [2.0, None])
@pytest.mark.parametrize("make_poller", POLLERS)
def test_a_closed_alarm_that_need_not_be_set_is_noticed_some_waits_later(
    make_poller: Any, timeout: float | None
) -> None:
    waker = AlarmWaker(Watches(make_poller()))
    waker.wait(1)
    closed = alarm_of(waker)
    os.close(closed.fileno())
    for _ in range(1100):
        waker.wait(timeout)
    assert alarm_of(waker) is not closed


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("make_poller", POLLERS)
def test_a_file_that_has_the_number_of_an_alarm_is_let_be(make_poller: Any, watched: bool) -> None:
    reactor = Watches(make_poller())
    waker = AlarmWaker(reactor)
    waker.wait(1)
    number = alarm_of(waker).fileno()
    with os.fdopen(os.eventfd(1)) as file:
        os.dup2(file.fileno(), number)
        if watched:
            with suppress(FileNotFoundError):
                reactor._poller.unregister(number)
            reactor._poller.register(number, select.POLLIN)
            reactor._selectables[number] = file
        waker.wait(0.5)
        assert reactor._poller.poll(0) == ([(number, select.POLLIN)] if watched else [])
        waker.detach()
        os.close(number)


@pytest.mark.parametrize("change", ["set", "clear"])
def test_a_closed_alarm_is_found_out_though_nothing_changes(change: str) -> None:
    alarm = Alarm()
    if change == "set":
        alarm.set(3600)
    os.close(alarm.fileno())
    deadline = time.monotonic() + 3600

    def change_nothing() -> None:
        for _ in range(10_000):
            alarm.set(deadline - time.monotonic()) if change == "set" else alarm.clear()

    with pytest.raises(OSError, match="timerfd_settime"):
        change_nothing()


def test_a_closed_alarm_is_no_descriptor_any_more() -> None:
    alarm = Alarm()
    number = alarm.fileno()
    alarm.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    assert alarm.fileno() == -1
    alarm.close()
    for change in (alarm.clear, lambda: alarm.set(1)):
        with pytest.raises(OSError, match="timerfd_settime"):
            change()


FORKS = """
    import json, os, select, sys
    from timerwheel._wakers.alarm import AlarmWaker
    poller = getattr(select, sys.argv[1])()
    class Reactor:
        _poller, _selectables, waits = poller, {}, []
        def doIteration(self, timeout):
            self.waits.append(timeout)
    reactor = Reactor()
    waker = AlarmWaker(reactor)
    waker.wait(0.2)
    child = os.fork()
    if not child:
        # The first loses the parent's alarm, the second has one of its own.
        waker.wait(json.loads(sys.argv[2]))
        if sys.argv[1] == "poll":
            assert poller.poll(0) == []
        waker.wait(3600)
        assert 3600.001 < reactor.waits[-1] < 3601, reactor.waits
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(json.dumps(poller.poll(10 if sys.argv[1] == "epoll" else 10_000)))
"""


@pytest.mark.parametrize("first", ["3600", "null"])
@pytest.mark.parametrize("make_poller", POLLERS)
def test_a_child_that_is_forked_sets_no_alarm_of_its_parent(make_poller: Any, first: str) -> None:
    ((_, events),) = run_python(FORKS, make_poller.__name__, first)
    assert events == select.POLLIN


@pytest.mark.parametrize("make_poller", POLLERS)
def test_the_alarm_is_left_also_if_nobody_watches_it_any_more(make_poller: Any) -> None:
    """By then the reactor is Twisted's again: restore() has nothing to say about it."""
    reactor = Watches(make_poller())
    waker = AlarmWaker(reactor)
    waker.wait(1)
    reactor._poller.unregister(alarm_of(waker).fileno())
    waker.detach()
    waker.wait(1)
    if make_poller is select.epoll:
        reactor._poller.close()
    waker.detach()
    waker.detach()


def test_an_alarm_that_cannot_be_made_or_set_says_so() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="timerfd_create") as raised:
            Alarm()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.errno == errno.EMFILE
    alarm = Alarm()
    os.close(alarm.fileno())
    with pytest.raises(OSError, match="timerfd_settime") as raised:
        alarm.set(1)
    assert raised.value.errno == errno.EBADF


def test_the_alarm_is_set_anew_only_for_another_time() -> None:
    poll = select.poll()
    alarm = Alarm()
    poll.register(alarm.fileno(), select.POLLIN)
    assert poll.poll(0) == []
    before = time.monotonic()
    alarm.set(0.01)
    alarm.set(0.01 - (time.monotonic() - before))
    assert poll.poll(10_000) == [(alarm.fileno(), select.POLLIN)]
    assert time.monotonic() - before >= 0.01
    alarm.set(3600)
    assert poll.poll(0) == []
    alarm.set(0)
    assert poll.poll(10_000) == [(alarm.fileno(), select.POLLIN)]
    alarm.clear()
    assert poll.poll(0) == []
    alarm.set(float("inf"))
    assert poll.poll(0) == []
