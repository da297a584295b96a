"""Listens to what a program does with its timers.

A `Recorder` puts methods of its own on the reactor instance (`callLater`, `runUntilCurrent`) and on
each pending call (`cancel`, `reset`, `delay`), which call on to what was there. The function of
a pending call is an `Expiry` for as long: it compares, prints and behaves as the function
does. All that is taken away from a call when it is cancelled or expires, and from what is left
when the recording stops.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import IO, TYPE_CHECKING, Any

from timerwheel._accelerate import KEY
from timerwheel.recording._format import Header, Operation, microseconds
from timerwheel.recording._writer import Writer

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

LIMIT = 4 * 1024 * 1024
"""The default limit, in bytes: about two million operations."""

LEAST_LIMIT = 128 * 1024
"""In bytes: at least one block of events has room."""

_ON_CALL = ("cancel", "reset", "delay")


def record(
    reactor: Any, file: str | os.PathLike[str] | IO[bytes], *, limit: int = LIMIT
) -> Recorder:
    """Record a reactor's timer traffic to a file, until `stop()` or the reactor's shutdown.

    The reactor may be a stock one or have the wheel, and may be running. The file says when timers
    were scheduled, cancelled, moved and expired, for how long they were set and how long
    their calls took: no functions, no arguments, no data. file is a path, which is
    overwritten, or a binary file, which stays open. limit is the most bytes that it may take:
    when it has them, recording stops, and the file says so.

    The result has `stop()` and is a context manager. Each operation takes about 5 us more
    meanwhile, and each pending call about 1 kB.
    What calls a `callLater` that it kept from before is not heard. If the
    file cannot be written, recording stops, the error is logged and the program goes on.

    Raises TypeError if reactor is not built on Twisted's ReactorBase, ValueError for a limit below
    131,072, RuntimeError if the reactor is being recorded already, OSError if the file cannot
    be opened.
    """
    from twisted.internet.base import ReactorBase

    if not isinstance(reactor, ReactorBase):
        raise TypeError(f"record() needs a reactor built on Twisted's ReactorBase, not {reactor!r}")
    if limit < LEAST_LIMIT:
        raise ValueError(f"limit must be at least {LEAST_LIMIT:,} bytes, not {limit!r}")
    if isinstance(getattr(getattr(reactor, "callLater", None), "__self__", None), Recorder):
        raise RuntimeError("this reactor is being recorded already: stop() that recording first")
    return Recorder(reactor, file, limit)


class Recorder:
    """A recording that is being made; `record()` makes one."""

    def __init__(self, reactor: Any, file: str | os.PathLike[str] | IO[bytes], limit: int) -> None:
        self._reactor = reactor
        self._file, self._owns_file = _opened(file)
        self._calls: dict[int, Any] = {}
        self._start = reactor.seconds()
        self._idle_passes = 0
        self._fires = 0
        self._pass_begins = False
        self._recording = True
        # Bound methods are made anew at each look: these are what is looked for at the end.
        self._ours = {"callLater": self._call_later, "runUntilCurrent": self._run_until_current}
        self._theirs: dict[str, Callable[..., Any]] = {}
        self._trigger: Any = None
        try:
            self._writer = Writer(self._file, limit, _header(reactor))
            self._hook()
        except BaseException:
            self._unhook()
            self._close()
            raise

    @property
    def recording(self) -> bool:
        """Whether it still records: False after stop(), at the limit, and after an error."""
        return self._recording

    def stop(self) -> None:
        """End the recording and close its file. Does nothing if it has ended."""
        if self._recording:
            for number, call in list(self._calls.items()):
                if not call.active():  # cancelled by what does not look `cancel` up on the call
                    self._write(Operation.CANCEL, number)
        if self._recording:  # else the file was full, or refused that
            self._end("stopped")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

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
            self._writer.end(reason)
        except OSError:
            self._log_failure()
        finally:
            self._close()

    def _close(self) -> None:
        if self._owns_file:
            self._file.close()

    def _unhook(self) -> None:
        reactor = self._reactor
        for name, method in self._ours.items():
            if reactor.__dict__.get(name) is method:  # else another has put its own before it
                if name in self._theirs:
                    setattr(reactor, name, self._theirs[name])
                else:
                    delattr(reactor, name)
        if self._trigger is not None:
            reactor.removeSystemEventTrigger(self._trigger)
        for call in self._calls.values():
            self._release(call)
        self._calls.clear()

    def _at_shutdown(self) -> None:
        self._trigger = None
        self.stop()

    def _log_failure(self) -> None:
        from twisted.logger import Logger

        Logger().failure("the recording of timers could not be written, and has ended")

    # What stands on the reactor

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
            # After a nested pass, too: what the outer one has still to make is one more.
            self._pass_begins = True
            self._idle_passes += self._fires == fires

    # What stands on a call. (Each is given the call: a program may keep `call.cancel` for later.)

    def _adopt(self, call: Any, operation: Operation, seconds: float) -> None:
        number = self._writer.new_timer()
        self._calls[number] = call
        call.func = Expiry(partial(self._expire, number), call.func)
        for name, method in (
            ("cancel", partial(self._cancel, number, call)),
            ("reset", partial(self._move, Operation.RESET, "reset", number, call)),
            ("delay", partial(self._move, Operation.DELAY, "delay", number, call)),
        ):
            if name not in call.__dict__:  # else the program has put its own there
                setattr(call, name, method)
        self._write(operation, number, microseconds(seconds))

    def _release(self, call: Any) -> None:
        for name in _ON_CALL:
            if _is_ours(call.__dict__.get(name), self):
                delattr(call, name)
        if type(getattr(call, "func", None)) is Expiry:
            call.func = object.__getattribute__(call.func, "_function")

    def _cancel(self, number: int, call: Any) -> None:
        type(call).cancel(call)
        if self._calls.pop(number, None) is not None:
            self._release(call)
            self._write(Operation.CANCEL, number)

    def _move(
        self, operation: Operation, name: str, number: int, call: Any, *args: Any, **kw: Any
    ) -> None:
        getattr(type(call), name)(call, *args, **kw)
        if number in self._calls:
            seconds = args[0] if args else next(iter(kw.values()))
            self._write(operation, number, microseconds(seconds))

    def _expire(self, number: int, function: Callable[..., Any], args: Any, kw: Any) -> Any:
        call = self._calls.get(number)
        if call is None or not call.called:  # the program itself calls what it found as call.func
            return function(*args, **kw)
        self._release(self._calls.pop(number))
        self._fires += 1
        if self._pass_begins:
            self._pass_begins = False
            self._write(Operation.PASS)
        self._write(Operation.FIRE, number)
        try:
            return function(*args, **kw)
        finally:
            self._write(Operation.DONE)

    def _write(self, operation: Operation, timer: int = -1, amount: int = 0) -> None:
        if not self._recording:
            return
        time = microseconds(self._reactor.seconds() - self._start)
        try:
            if self._idle_passes:
                passes, self._idle_passes = self._idle_passes, 0
                self._writer.event(Operation.PASSES, time, amount=passes)
            self._writer.event(operation, time, timer, amount)
        except OSError:
            self._log_failure()
            self._end("error")
        else:
            if self._writer.full:
                self._end("limit")


class Expiry:
    """Stands for the function of a pending call, and tells when it is called.

    All else is the function's: attributes, class, comparison, hash, repr.
    """

    __slots__ = ("_expire", "_function")

    def __init__(
        self, expire: Callable[[Callable[..., Any], Any, Any], Any], function: Callable[..., Any]
    ) -> None:
        self._expire = expire
        self._function = function

    def __getattribute__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_function"), name)

    def __call__(self, *args: Any, **kw: Any) -> Any:
        inner = object.__getattribute__
        return inner(self, "_expire")(inner(self, "_function"), args, kw)

    def __eq__(self, other: object) -> bool:
        if type(other) is Expiry:
            other = object.__getattribute__(other, "_function")
        return bool(object.__getattribute__(self, "_function") == other)

    def __hash__(self) -> int:
        return hash(object.__getattribute__(self, "_function"))

    def __repr__(self) -> str:
        return repr(object.__getattribute__(self, "_function"))


def _opened(file: str | os.PathLike[str] | IO[bytes]) -> tuple[IO[bytes], bool]:
    """The file, and whether stop() is to close it."""
    if isinstance(file, (str, os.PathLike)):
        return open(file, "wb"), True
    return file, False


def _is_ours(function: Any, recorder: Recorder) -> bool:
    """Whether a function on a call is one that this recorder put there."""
    return type(function) is partial and getattr(function.func, "__self__", None) is recorder


def _header(reactor: Any) -> Header:
    kind, clock = type(reactor), reactor.seconds
    name = getattr(clock, "__qualname__", type(clock).__qualname__)
    module = getattr(clock, "__module__", None) or type(clock).__module__
    return Header(
        clock=f"{module}.{name}",
        reactor=f"{kind.__module__}.{kind.__qualname__}",
        wheel=KEY in reactor.__dict__,
        versions={
            "python": python_version(),
            "twisted": _version("twisted"),
            "timerwheel": _version("timerwheel"),
        },
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # installed without metadata, as frozen programs are
        return "unknown"
