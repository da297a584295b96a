"""The descriptor of an alarm: whose it is, and when it is refused."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from helpers import Watches, run_python

from timerwheel._alarm import Alarm
from timerwheel._wakers.alarm import AlarmWaker

libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """A timerfd of the program's own."""

    def __init__(self, seconds: int, interval: int = 0) -> None:
        self.number: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK)
        self._set((interval, 0, seconds, 0))

    def _set(self, times: tuple[int, int, int, int]) -> None:
        assert libc.timerfd_settime(self.number, 0, (ctypes.c_long * 4)(*times), None) == 0

    def left(self) -> float:
        """Seconds until it expires."""
        now = (ctypes.c_long * 4)()
        assert libc.timerfd_gettime(self.number, now) == 0
        return now[2] + now[3] / 1e9

    def expire(self) -> None:
        self._set((0, 0, 0, 1))
        assert select.select([self.number], [], [], 10)[0]

    def has_expired(self) -> bool:
        return bool(select.select([self.number], [], [], 0)[0])


@contextmanager
def in_place_of(place: int, number: int) -> Iterator[None]:
    """Have an alarm's number be that of another file; check in the end that it is that still."""
    os.dup2(number, place)
    before = os.fstat(place)
    try:
        yield
        assert os.fstat(place) == before
    finally:
        os.close(place)
        os.close(number)


def file_at_all() -> int:
    return os.open("/dev/null", os.O_RDONLY)


def timer_at_all() -> int:
    return Timer(3600).number


def close(alarm: Alarm) -> None:
    alarm.close()


def forget(alarm: Alarm) -> None:
    """The caller has no other reference."""


@pytest.mark.parametrize("leave", [close, forget])
@pytest.mark.parametrize("other", [file_at_all, timer_at_all])
def test_what_has_the_number_of_an_alarm_is_not_closed(
    other: Callable[[], int], leave: Callable[[Alarm], None]
) -> None:
    alarms = [Alarm()]
    with in_place_of(alarms[0].fileno(), other()):
        leave(alarms.pop())


def test_an_alarm_that_has_gone_off_is_ours_still() -> None:
    alarm = Alarm()
    number = alarm.fileno()
    alarm.set(0)
    assert select.select([number], [], [], 10)[0]
    assert alarm.is_ours()
    alarm.close()
    assert not alarm.is_ours()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


@pytest.mark.parametrize("interval", [0, 5])
def test_a_timer_that_has_the_number_of_an_alarm_goes_on(interval: int) -> None:
    alarm = Alarm()
    timer = Timer(3600, interval)
    with in_place_of(alarm.fileno(), timer.number):
        with pytest.raises(OSError, match="timerfd_settime") as raised:
            alarm.set(1)
        assert raised.value.errno == errno.EBADF
        assert 3500 < timer.left() <= 3600
        assert not alarm.is_ours()


def test_before_an_alarm_is_set_anew_later_the_kernel_is_asked_whose_it_is() -> None:
    """An expiry that the program has not read yet could not be given back."""
    alarm = Alarm()
    timer = Timer(0)
    timer.expire()
    with in_place_of(alarm.fileno(), timer.number):
        time.sleep(0.011)  # at least: longer than what was ours is taken to be ours
        with pytest.raises(OSError, match="timerfd_settime"):
            alarm.set(1)
        assert timer.has_expired()


def left(alarm: Alarm) -> float:
    """Seconds until an alarm goes off, as the kernel says; 0 if it does not."""
    with open(f"/proc/self/fdinfo/{alarm.fileno()}") as facts:
        value = next(line for line in facts if line.startswith("it_value"))
    seconds, nanoseconds = value.partition("(")[2].rstrip(")\n").split(",")
    return int(seconds) + int(nanoseconds) / 1e9


def test_an_alarm_that_is_too_early_and_far_away_is_left() -> None:
    """A timeout that is pushed back at each turn costs no system call each time."""
    alarm = Alarm()
    alarm.set(60)
    for _ in range(500):
        alarm.set(120)
        alarm.clear()
    assert 0 < left(alarm) <= 60
    alarm.set(30)
    assert 0 < left(alarm) <= 30


@pytest.mark.parametrize("after", [None, 60])
def test_an_alarm_that_is_too_early_and_near_is_set_anew(after: float | None) -> None:
    """It would wake the reactor for nothing, and might do so at each turn."""
    alarm = Alarm()
    alarm.set(0.009)
    alarm.clear() if after is None else alarm.set(after)
    assert left(alarm) == 0 if after is None else left(alarm) > 10


def test_an_alarm_that_has_gone_off_is_cleared() -> None:
    """poll() would report it for ever."""
    alarm = Alarm()
    alarm.set(0)
    assert select.select([alarm], [], [], 10)[0]
    alarm.clear()
    assert not select.select([alarm], [], [], 0)[0]


# The last second that fits a time_t of 32 bits.
LAST_SECOND = 2**31 - 1

LONG_DELAYS = [1.0, 2.0**22, 2.0**30, LAST_SECOND - 1.0, 2.0**31, 2.0**32, 2.0**32 + 10, 2.0**33]
LONG_DELAYS += [2.0**63 / 1e9, 2.0**64 / 1e9, 2.0**63, 2.0**64, 1e300, float("inf")]


@pytest.mark.parametrize("delay", LONG_DELAYS)
def test_a_long_delay_is_kept_as_far_as_a_time_of_32_bits_goes(delay: float) -> None:
    alarm = Alarm()
    before = time.monotonic()
    alarm.set(delay)
    seconds = left(alarm)
    after = time.monotonic()
    assert min(before + delay, LAST_SECOND) - after - 1e-6 <= seconds
    assert seconds <= min(delay, LAST_SECOND) + 1e-6


@pytest.mark.parametrize(
    "delay", [0.0, -0.0, 1e-300, 1e-9, -1.0, -(2.0**31), -1e300, -float("inf")]
)
def test_a_delay_that_is_over_sets_an_alarm_off_at_once(delay: float) -> None:
    alarm = Alarm()
    alarm.set(delay)
    assert select.select([alarm.fileno()], [], [], 10)[0]


# timerfd_create, timerfd_settime, timerfd_gettime; the latter two for either size of time_t
CALLS = {
    "x86_64": ([283], [286], [287]),
    "aarch64": ([85], [86], [87]),
    "i686": ([322], [325, 411], [326, 410]),
}
PR_GET_SECCOMP = 21

# A filter for seccomp(2): these system calls are refused from now on.
REFUSE = """
    import ctypes, struct
    def refuse(code, *calls):
        program = [struct.pack("=HBBI", 0x20, 0, 0, 0)]
        for number, call in enumerate(calls):
            program.append(struct.pack("=HBBI", 0x15, len(calls) - number, 0, call))
        program.append(struct.pack("=HBBI", 0x06, 0, 0, 0x7fff0000))
        program.append(struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | code))
        text = ctypes.create_string_buffer(b"".join(program))
        class Program(ctypes.Structure):
            _fields_ = (("length", ctypes.c_ushort), ("text", ctypes.c_void_p))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, ctypes.byref(Program(len(program), ctypes.addressof(text)))) == 0
"""

SANDBOX = (
    REFUSE
    + """
    import json, os, select, sys
    from timerwheel._wakers import alarm as module
    attempts, Alarm = [], module.Alarm
    module.Alarm = lambda: (attempts.append(1), Alarm())[1]
    poller = getattr(select, sys.argv[1])()
    class Reactor:
        _poller, _selectables, waits = poller, {}, []
        def doIteration(self, timeout):
            self.waits.append(timeout)
    def descriptors():
        return len(os.listdir("/proc/self/fd"))
    reactor = Reactor()
    waker = module.AlarmWaker(reactor)
    before = descriptors()
    waker.wait(0.0004)
    with_alarm = descriptors()
    assert with_alarm == before + 1
    waits, reactor.waits = reactor.waits, []
    refuse(*json.loads(sys.argv[2]))
    # (Not the deadline that it is set for.)
    waker.wait(3600)
    reactor.waits.clear()
    for number in range(200):
        waker.wait(0.0004)
    print(json.dumps([sorted(set(reactor.waits)), len(attempts), descriptors() - before]))
"""
)


@pytest.mark.skipif(platform.machine() not in CALLS, reason="which numbers system calls have here")
@pytest.mark.skipif(libc.prctl(PR_GET_SECCOMP) < 0, reason="no seccomp here (an emulator?)")
@pytest.mark.parametrize("code", [errno.EPERM, errno.ECANCELED, errno.ENOSYS])
@pytest.mark.parametrize("refused", ["settime", "create, settime", "all"])
@pytest.mark.parametrize("poller", ["poll", "epoll"])
def test_what_a_sandbox_refuses_is_tried_seldom_and_leaks_nothing(
    poller: str, refused: str, code: int
) -> None:
    create, settime, gettime = CALLS[platform.machine()]
    calls = {"settime": settime, "create, settime": create + settime}.get(
        refused, create + settime + gettime
    )
    waits, attempts, more = run_python(SANDBOX, poller, str([code, *calls]))
    assert waits == ([0.0004] if poller == "epoll" else [0.0015])
    assert attempts <= 10
    # What may be a file of the program's, for all that the kernel tells, is not closed.
    assert more == (1 if refused == "all" else 0)


@pytest.mark.parametrize("make_poller", [select.poll, select.epoll])
def test_an_alarm_has_no_number_that_twisted_watches(make_poller: Any) -> None:
    """It would read from the alarm as from the file that had the number and was closed."""
    reactor = Watches(make_poller())
    free = os.dup(0)
    os.close(free)
    reactor._selectables[free] = object()
    before = len(os.listdir("/proc/self/fd"))
    waker = AlarmWaker(reactor)
    waker.wait(0.0001)
    assert reactor._poller.poll(0) == []
    assert len(os.listdir("/proc/self/fd")) == before


LAST_DESCRIPTORS = """
    import importlib, json, os, resource, sys
    side, name, free = sys.argv[1], sys.argv[2], int(sys.argv[3])
    import timerwheel
    package = "timerwheel.reactors" if side == "ours" else "twisted.internet"
    module = importlib.import_module(f"{package}.{name}")
    first = os.dup(0)
    os.close(first)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first + free, hard))
    fired = False
    def fire():
        global fired
        fired = True
        reactor.stop()
    try:
        module.install()
        from twisted.internet import reactor
    except OSError:
        pass
    else:
        reactor.callLater(0.0001, fire)
        reactor.run(installSignalHandlers=False)
    print(json.dumps(fired))
"""


@pytest.mark.parametrize("name", ["epollreactor", "pollreactor", "selectreactor"])
def test_a_reactor_is_content_with_as_few_descriptors_as_twisteds(name: str) -> None:
    least = [
        next(free for free in range(1, 10) if run_python(LAST_DESCRIPTORS, side, name, str(free)))
        for side in ("stock", "ours")
    ]
    assert least[0] == least[1]
