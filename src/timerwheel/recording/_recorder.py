"""Record a program's operations on its timers.

A `Recorder` puts methods of its own on the reactor instance (`callLater`, `runUntilCurrent`), and a
`Listener` on each pending call. Both call the method that they replace. A listener goes when its
call has been made or cancelled, and all hooks go when the recording stops.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any
from weakref import WeakSet

from timerwheel._stoppable import Stoppable
from timerwheel.recording._format import Operation, microseconds
from timerwheel.recording._listener import Listener
from timerwheel.recording._program import header_of
from timerwheel.recording._writer import Writer

LIMIT = 4 * 1024 * 1024
"""The default limit, in bytes: about two million operations."""

LEAST_LIMIT = 128 * 1024
"""The least limit, in bytes: it has room for one block of events."""


def record(
    reactor: Any, file: str | os.PathLike[str] | IO[bytes], *, limit: int = LIMIT
) -> Recorder:
    """Record a reactor's timer traffic to a file, until `stop()` or the reactor's shutdown.

    The reactor may be a stock one or have the wheel, and may be running. The file has the times at
    which the program scheduled, cancelled and moved timers, their delays, the times at which they
    expired, and how long their calls took. It has no functions, no arguments and no data.

    file is a path, which this overwrites, or a binary file, which stays open. limit is the most
    bytes of the file. At the limit the recording stops, and the file says so.

    The result has `stop()` and is a context manager. While you record, an operation takes about 5
    us more, and a pending call about 1 kB more. The recorder does not see calls through a
    `callLater` that the program kept from before. If it cannot write the file, it logs the error
    and stops, and the program goes on. If you fork, the child does not record, and the parent goes
    on recording. If your program forks to become a daemon, start to record after that:
    `reactor.callWhenRunning(record, reactor, file)`.

    Raises TypeError if reactor is not built on Twisted's ReactorBase, ValueError for a limit below
    131,072, RuntimeError if a recorder records the reactor already, OSError if it cannot open the
    file or write its beginning.
    """
    from twisted.internet.base import ReactorBase

    if not isinstance(reactor, ReactorBase):
        raise TypeError(f"record() needs a reactor built on Twisted's ReactorBase, not {reactor!r}")
    if limit < LEAST_LIMIT:
        raise ValueError(f"limit must be at least {LEAST_LIMIT:,} bytes, not {limit!r}")
    if any(_is_recorded(getattr(reactor, name, None)) for name in ("callLater", "runUntilCurrent")):
        raise RuntimeError("this reactor is being recorded already: stop() that recording first")
    return Recorder(reactor, file, limit)


class Recorder(Stoppable):
    """A recording that is being made; `record()` makes one."""

    def __init__(self, reactor: Any, file: str | os.PathLike[str] | IO[bytes], limit: int) -> None:
        self._reactor = reactor
        self._start = reactor.seconds()
        self._file, self._owns_file = _opened(file)
        self._listeners: dict[int, Listener] = {}
        self._idle_passes = 0
        self._fires = 0
        self._pass_begins = False
        self._recording = True
        # Each look makes new bound methods. The end of the recording looks for these.
        self._ours = {"callLater": self._call_later, "runUntilCurrent": self._run_until_current}
        self._theirs: dict[str, Callable[..., Any]] = {}
        self._trigger: Any = None
        try:
            self._writer = Writer(self._file, limit, header_of(reactor))
            self._hook()
            _recorders.add(self)
        except BaseException:
            self._unhook()
            self._close()
            raise

    @property
    def recording(self) -> bool:
        """Whether it still records: False after stop(), at the limit and after an error."""
        return self._recording

    def stop(self) -> None:
        """End the recording and close its file. Does nothing if it has ended already."""
        if self._recording:
            for number, listener in list(self._listeners.items()):
                if not listener.call.active():  # cancelled by what does not ask the call for it
                    self.write(Operation.CANCEL, number)
        if self._recording:  # else the file was full, or refused that
            self._end("stopped")

    # Beginning and end

    def _hook(self) -> None:
        reactor = self._reactor
        for name, method in self._ours.items():
            if name in reactor.__dict__:
                self._theirs[name] = reactor.__dict__[name]
            setattr(reactor, name, method)
        self._trigger = reactor.addSystemEventTrigger("after", "shutdown", self._at_shutdown)
        for call in sorted(reactor.getDelayedCalls(), key=lambda call: call.getTime()):
            if self._recording:  # else the limit is reached
                self._adopt(call, Operation.PENDING, call.getTime() - self._start)

    def _end(self, reason: str) -> None:
        self._recording = False
        self._unhook()
        try:
            try:
                self._writer.end(reason)
            finally:
                self._close()  # which tries once more to write the file's buffer
        except Exception:
            if reason != "error":  # else that was logged
                self._log_failure()

    def give_up(self) -> None:
        """In a forked child: end, and leave the file to the parent."""
        if self._recording:
            self._recording = False
            self._unhook()
            self._close()  # only in this process; its buffer is empty, so close() writes nothing

    def _close(self) -> None:
        if self._owns_file:
            self._file.close()

    def _unhook(self) -> None:
        reactor = self._reactor
        for name, method in self._ours.items():
            if reactor.__dict__.get(name) is method:  # else the program has put its own before it
                if name in self._theirs:
                    setattr(reactor, name, self._theirs[name])
                else:
                    delattr(reactor, name)
        if self._trigger is not None:
            reactor.removeSystemEventTrigger(self._trigger)
        for listener in self._listeners.values():
            listener.detach()
        self._listeners.clear()

    def _at_shutdown(self) -> None:
        self._trigger = None
        self.stop()

    def _log_failure(self) -> None:
        from twisted.logger import Logger

        Logger().failure("the recorder could not write its file, and has stopped")

    # The methods on the reactor

    def _call_original(self, name: str, *args: Any, **kw: Any) -> Any:
        """(Looked up each time: a program may put others into the class, and accelerate() does.)"""
        theirs = self._theirs.get(name)
        if theirs is not None:
            return theirs(*args, **kw)
        return getattr(type(self._reactor), name)(self._reactor, *args, **kw)

    def _call_later(self, *args: Any, **kw: Any) -> Any:
        call = self._call_original("callLater", *args, **kw)
        if self._recording:
            self._adopt(call, Operation.SCHEDULE, args[0] if args else kw["delay"])
        return call

    def _run_until_current(self) -> None:
        fires, self._pass_begins = self._fires, True
        try:
            self._call_original("runUntilCurrent")
        finally:
            # After a nested pass, too: the rest of the outer one counts as one more.
            self._pass_begins = True
            self._idle_passes += self._fires == fires

    # For the listeners on the calls

    def _adopt(self, call: Any, operation: Operation, seconds: float) -> None:
        listener = Listener(self, self._writer.new_timer(), call)
        self._listeners[listener.number] = listener
        listener.attach()
        self.write(operation, listener.number, microseconds(seconds))

    def ended(self, listener: Listener) -> bool:
        """Stop to listen to a call that is not pending any more. Returns False if done before."""
        if self._listeners.pop(listener.number, None) is None:
            return False
        listener.detach()
        return True

    def began(self, timer: int) -> None:
        """Record that a timer has expired, and that its call begins."""
        self._fires += 1
        if self._pass_begins:
            self._pass_begins = False
            self.write(Operation.PASS)
        self.write(Operation.FIRE, timer)

    def write(self, operation: Operation, timer: int = -1, amount: int = 0) -> None:
        """Write an event; do nothing if the recording has ended."""
        if not self._recording:
            return
        time = microseconds(self._reactor.seconds() - self._start)
        try:
            if self._idle_passes:
                passes, self._idle_passes = self._idle_passes, 0
                self._writer.event(Operation.PASSES, time, amount=passes)
            self._writer.event(operation, time, timer, amount)
        except Exception:  # a file that the program has closed raises ValueError
            self._log_failure()
            self._end("error")
        else:
            if self._writer.full:
                self._end("limit")


def _is_recorded(method: Any) -> bool:
    """(A program may have put its own before one of the two methods.)"""
    owner = getattr(method, "__self__", None)
    return isinstance(owner, Recorder) and owner.recording


def _opened(file: str | os.PathLike[str] | IO[bytes]) -> tuple[IO[bytes], bool]:
    """The file, and whether stop() is to close it."""
    if isinstance(file, (str, os.PathLike)):
        return open(file, "wb", buffering=0), True
    return file, False


_recorders: WeakSet[Recorder] = WeakSet()


def _give_up_in_child() -> None:
    for recorder in list(_recorders):
        recorder.give_up()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_give_up_in_child)
