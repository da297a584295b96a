"""Ask a page of `timerwheel.web` for its figures: at a URL, or at a UNIX socket."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

FORMAT = 1
"""As in `timerwheel.web.snapshot`, which needs Twisted."""

PATIENCE = 5.0
"""Seconds to wait for an answer."""

_LONGEST = 10_000_000
"""The most bytes of an answer; the figures are far below."""


class NoAnswerError(Exception):
    """Nothing answers, or something else than the page. The message says which."""


class _SocketConnection(HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(address: str) -> dict[str, Any]:
    """The page's data, as `timerwheel.web.snapshot` makes it.

    @param address: the URL of the page; or the path of a UNIX socket at the root of which it is,
        with `unix:` before it or without.

    @raise NoAnswerError: there is no page.
    """
    request = _ask_url if "://" in address else _ask_socket
    try:
        text = request(address)
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswerError(
            f"no answer from {address}: {str(error) or type(error).__name__}"
        ) from None
    return _parsed(text, address)


def _ask_url(url: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ValueError("a URL begins with http:// or https://")
    request = Request(f"{url.rstrip('/')}/data.json", headers={"accept": "application/json"})
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            text: bytes = answer.read(_LONGEST)
    except HTTPError as error:
        with error:
            raise ValueError(f"it answers {error.code} {error.reason}") from None
    return text


def _ask_socket(address: str) -> bytes:
    connection = _SocketConnection(address.removeprefix("unix:"))
    try:
        connection.request("GET", "/data.json", headers={"accept": "application/json"})
        answer = connection.getresponse()
        text = answer.read(_LONGEST)
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"it answers {answer.status} {answer.reason}")
    return text


def _parsed(text: bytes, address: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
        known = data["format"] == FORMAT
        accelerated = data["status"]["accelerated"]
        version = data["status"]["versions"]["timerwheel"]
        complete = not accelerated or {"stats", "watch", "survey"} <= data.keys()
    except (ValueError, TypeError, LookupError, RecursionError):
        raise NoAnswerError(f"the answer of {address} is not a page of timerwheel.web") from None
    if not known:
        raise NoAnswerError(
            f"the page at {address} is of timerwheel {version}, which this one does "
            "not understand: use the version that the program has"
        )
    if not accelerated:
        raise NoAnswerError(f"the wheel has been taken out of the reactor at {address}")
    if not complete or not isinstance(data["stats"], dict):
        raise NoAnswerError(f"the answer of {address} is not a page of timerwheel.web")
    found: dict[str, Any] = data
    return found
