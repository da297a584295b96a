"""Steps that use threads, processes, descriptors; and that install another reactor."""

from __future__ import annotations

import os
import select
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hostile.parts import PlainReactor
from hostile.steps import Script, Step

if TYPE_CHECKING:
    from hostile.world import World

# How long a real reactor waits, seconds. The alarm is set for that.
WAIT = 0.001


@dataclass(frozen=True)
class ThreadsTurn(Step):
    """Threads put the wheel in, or take it out, all at once."""

    inside: tuple[bool, ...]

    def perform(self, world: World) -> None:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        barrier = threading.Barrier(len(self.inside))

        def turn(inside: bool) -> None:
            barrier.wait()
            world.accelerate() if inside else world.restore()

        threads = [threading.Thread(target=turn, args=(inside,)) for inside in self.inside]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)


@dataclass(frozen=True)
class Replace(Step):
    """Install another reactor in place of the one that is installed."""

    wheel: bool

    def perform(self, world: World) -> None:
        other = PlainReactor()
        world.witness.note("other reactor", other)
        if self.wheel and world.ours:
            from timerwheel import accelerate

            accelerate(other)
        if world.setting.installed:
            world.install(other)
            world.others.append(other)


@dataclass(frozen=True)
class Wait(Step):
    """The reactor waits for I/O, a moment."""

    def perform(self, world: World) -> None:
        if world.setting.reactor != "plain":
            world.reactor.doIteration(WAIT)


@dataclass(frozen=True)
class Fork(Step):
    """Fork. The child carries out a script, waits, and reads the program's files."""

    script: Script

    def perform(self, world: World) -> Any:
        child = os.fork()
        if child == 0:
            code = 255
            with suppress(BaseException):
                world.carry_out(self.script)
                Wait().perform(world)
                code = sum(text == "its own" for text in read(world))
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@dataclass(frozen=True)
class CloseAlarm(Step):
    """Close the descriptors of timers, as a program does that closes what it does not know.

    Then open so many files, which get the numbers.
    """

    files: int

    def perform(self, world: World) -> None:
        for number in timers():
            os.close(number)
        for _ in range(self.files):
            open_file(world)


@dataclass(frozen=True)
class OpenFile(Step):
    """Open a file."""

    def perform(self, world: World) -> None:
        open_file(world)


@dataclass(frozen=True)
class CloseFile(Step):
    """Close a file that the program has open."""

    which: int

    def perform(self, world: World) -> Any:
        if world.files:
            world.files.pop(self.which % len(world.files)).close()


@dataclass(frozen=True)
class ReadFiles(Step):
    """Read all files that the program has open."""

    def perform(self, world: World) -> Any:
        return read(world)


@dataclass(frozen=True)
class NewPoller(Step):
    """Close the descriptors of timers and the poller's; give the reactor another poller.

    files: that are opened between, and get the numbers.
    """

    files: int

    def perform(self, world: World) -> Any:
        reactor = world.reactor
        poller = getattr(reactor, "_poller", None)
        if poller is None:
            return "no poller"
        for number in timers():
            os.close(number)
        if hasattr(poller, "close"):
            poller.close()
        for _ in range(self.files):
            open_file(world)
        reactor._poller = type(poller)() if hasattr(poller, "close") else select.poll()
        for number in list(reactor._selectables):
            reactor._poller.register(number, select.POLLIN)
        return None


@dataclass(frozen=True)
class CloseRange(Step):
    """Close all descriptors that were not there at first, but the poller's and those of files."""

    def perform(self, world: World) -> None:
        known = {*world.known, *(file.fileno() for file in world.files)}
        poller = getattr(world.reactor, "_poller", None)
        if hasattr(poller, "fileno"):
            known.add(poller.fileno())
        for number in open_descriptors():
            if number not in known:
                with suppress(OSError):
                    os.close(number)


def open_descriptors() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]


def timers() -> list[int]:
    """The descriptors of timerfds."""
    found = []
    for number in open_descriptors():
        with suppress(OSError):
            if "timerfd" in os.readlink(f"/proc/self/fd/{number}"):
                found.append(number)
    return found


def open_file(world: World) -> None:
    file = tempfile.TemporaryFile("w+")  # noqa: SIM115 (it stays open)
    file.write(f"file {len(world.files)}")
    file.flush()
    world.files.append(file)


def read(world: World) -> list[str]:
    """What the program's files have in them: what was written there, or an error."""
    texts = []
    for file in world.files:
        try:
            file.seek(0)
            texts.append("its own" if file.read().startswith("file") else "another's")
        except (OSError, ValueError) as error:
            texts.append(type(error).__name__)
    return texts
