"""The default reactor in real time: it wakes for each call, and never early.

It runs in a process of its own. If it does not wake, this ends the process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from random import Random
from statistics import median
from typing import Any

import timerwheel
from timerwheel.commands.selftest.failures import CheckFailedError, require

MOST = 50
"""The most calls to wait for."""

LONGEST = 0.02
"""Seconds to each of them at most."""

PATIENCE = 30.0
"""Seconds to wait for the reactor to wake."""


class Sleeper:
    """Schedules one call after another on a reactor, which sleeps before each.

    @ivar lateness: by how many seconds of the reactor's clock each was late.
    """

    def __init__(self, reactor: Any, random: Random, calls: int) -> None:
        self._reactor = reactor
        self._random = random
        self._calls = calls
        self.lateness: list[float] = []

    def sleep(self) -> None:
        """Schedule the next call; after the last, stop the reactor."""
        if len(self.lateness) == self._calls:
            self._stop()
            return
        call: Any = self._reactor.callLater(
            self._random.random() * LONGEST, lambda: self._wake(call)
        )

    def _wake(self, call: Any) -> None:
        self.lateness.append(self._reactor.seconds() - call.getTime())
        self.sleep()

    def _stop(self) -> None:
        """Stop by a call that is far away, which another one moves sooner."""
        stop = self._reactor.callLater(3600, self._reactor.stop)
        self._reactor.callLater(LONGEST, stop.reset, LONGEST)


def check_wakes(seed: int, steps: int) -> str:
    """Run the default reactor.

    @param steps: how many calls to wait for; at most `MOST`.

    @return: what was done.

    @raise CheckFailedError: a call was early, or the reactor did not wake.
    """
    command = [sys.executable, "-m", __name__, str(seed), str(min(steps, MOST))]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise CheckFailedError(f"the reactor still slept after {PATIENCE:g} seconds") from None
    require(child.returncode == 0, f"it ended with code {child.returncode}:\n{child.stderr}")
    result = json.loads(child.stdout)
    return judge(result["reactor"], result["lateness"])


def judge(reactor: str, lateness: list[float]) -> str:
    """@param reactor: the name of its class.

    @return: what was done.

    @raise CheckFailedError: a call was early.
    """
    earliest = min(lateness)
    require(earliest >= 0, f"{reactor} made a call {-earliest * 1e6:.1f} us early")
    late = f"{median(lateness) * 1e6:,.0f} us late (median), {max(lateness) * 1e6:,.0f} at most"
    return f"{reactor}, {len(lateness)} calls, none early, {late}"


def main() -> None:
    """Sleep and wake as the command line says, and print the result as one line of JSON."""
    seed, calls = map(int, sys.argv[1:])
    timerwheel.install()
    from twisted.internet import reactor

    installed: Any = reactor
    sleeper = Sleeper(installed, Random(seed), calls)
    installed.callWhenRunning(sleeper.sleep)
    installed.run()
    print(json.dumps({"reactor": type(installed).__name__, "lateness": sleeper.lateness}))


if __name__ == "__main__":
    main()
