"""What the tested process is told to do, a line of JSON each, and its answers, another line each.

The reactor reads them between its passes.
"""

from __future__ import annotations

import json
import traceback
from typing import Any

from soak import Soak
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure


class Commands(LineOnlyReceiver):
    """Has each command carried out by the method of the soak that it names."""

    delimiter = b"\n"

    def __init__(self, soak: Soak) -> None:
        self._soak = soak

    def lineReceived(self, line: bytes) -> None:
        answer = self._obey(*json.loads(line))
        self.sendLine(json.dumps(answer).encode())  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """No more commands will come."""
        self._soak.stop()

    def _obey(self, name: str, *arguments: Any) -> dict[str, Any]:
        try:
            return {"answer": getattr(self._soak, name)(*arguments)}
        except Exception:
            return {"failed": traceback.format_exc()}
