"""One side of the comparison, in a process of its own: Twisted's tests on one reactor.

Started by `sides.py`; the arguments are one JSON object.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any


def main(argument: str) -> None:
    """Install the reactor, load the tests, run them, and record what becomes of them."""
    task = json.loads(argument)
    stacks = os.fdopen(os.dup(sys.stderr.fileno()), "w")
    faulthandler.enable(stacks)
    reactor = install(task["reactor"], task["is_ours"])
    from recorder import Recorder
    from substitutes import prepare, watch_builder

    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    with open(task["results"], "w", buffering=1) as out:
        recorder = Recorder(out, stacks, task["test_limit"])
        unavailable = prepare(task["is_ours"])
        watch_builder(recorder.reactor_made)
        suite = load(task["names"], task["only"])
        recorder.write(
            reactor=f"{type(reactor).__module__}.{type(reactor).__qualname__}",
            unavailable=unavailable,
            versions=versions(),
        )
        run(suite, recorder)


def install(name: str, is_ours: bool) -> Any:
    """Install the reactor of this short name: Twisted's, or ours, if that has the wheel."""
    if not is_ours:
        from twisted.application.reactors import installReactor

        return installReactor(name)
    import timerwheel

    timerwheel.install(name)
    reactor: Any = import_module("twisted.internet.reactor")
    call = reactor.callLater(0, int)
    call.cancel()
    if type(call) is not timerwheel.DelayedCall:
        raise RuntimeError(f"{reactor!r} has no wheel: its callLater() gave {call!r}")
    return reactor


def versions() -> dict[str, str]:
    """What the results depend on."""
    import twisted

    return {"Python": platform.python_version(), "Twisted": twisted.__version__}


def load(names: list[str], only: list[str] | None) -> Any:
    """The tests as trial loads them, in its order: all, or only those with these ids.

    All are loaded even so, for what a test module does when it is imported is
    part of what the tests find.
    """
    from twisted.trial.runner import DestructiveTestSuite, TestLoader

    loader = TestLoader()
    loader.suiteFactory = DestructiveTestSuite
    suite = loader.loadByNames(names, recurse=True)
    if only is None:
        return suite
    wanted = set(only)
    return DestructiveTestSuite([case for case in cases(suite) if case.id() in wanted])


def cases(suite: Any) -> Iterator[Any]:
    """The single tests of a suite, in order."""
    from unittest import TestSuite

    for test in suite:
        if isinstance(test, TestSuite):
            yield from cases(test)
        else:
            yield test


def run(suite: Any, recorder: Any) -> None:
    """Run the tests as trial does, in a fresh directory below the current one."""
    from twisted.python import log
    from twisted.trial.runner import TrialRunner

    log.addObserver(recorder.observe)
    gc.collect()
    gc.freeze()  # for the recorder's collections: they would walk all that was loaded
    TrialRunner(reporterFactory=lambda *args: recorder).run(suite)


if __name__ == "__main__":
    main(sys.argv[1])
