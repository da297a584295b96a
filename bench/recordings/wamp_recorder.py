"""A component that runs in crossbar's router worker and records the worker's timers."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from twisted.internet import reactor

from timerwheel import record


class Recorder(ApplicationSession):  # type: ignore[misc]
    """Records from when it has joined, for `seconds`."""

    def onJoin(self, details: Any) -> None:
        recorder = record(reactor, self.config.extra["file"])
        reactor.callLater(self.config.extra["seconds"], recorder.stop)
