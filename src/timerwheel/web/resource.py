"""The page as a resource of twisted.web."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from twisted.web.pages import forbidden, notFound
from twisted.web.resource import Resource
from twisted.web.server import Request

from timerwheel.observe._wheel import require_reactors_queue
from timerwheel.web.hosts import Hosts
from timerwheel.web.snapshot import snapshot
from timerwheel.web.surveyor import Surveyor

FRESH = 0.25
"""Seconds for which all requests get the same figures."""

_FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "charts.js": ("charts.js", "text/javascript; charset=utf-8"),
    "uPlot.css": ("uPlot.min.css", "text/css; charset=utf-8"),
    "uPlot.js": ("uPlot.iife.min.js", "text/javascript; charset=utf-8"),
}

_HEADERS = {
    # No request goes elsewhere, no script is inline, no site can put the page into a frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class TimersPage(Resource):
    """Shows the timers of a reactor: a page, and `data.json` with the page's data.

    It answers only GET and HEAD, and changes nothing. An answer takes the reactor less than a
    millisecond, with any number of timers pending, because all requests within a quarter of a
    second share the same figures. While somebody looks, it counts the pending calls in slices of
    0.4 ms. From 20,000 timers on, it counts a sample and shows estimates.

    At a loopback address or a UNIX socket, it answers only requests for `localhost` or an IP
    address, and 403 to others, so that no other site can have a browser read it (DNS rebinding).
    hosts are more names to answer to, such as one that a proxy passes on. If you give some, the
    page answers only to these at an address of the network, too.

    Raises ValueError if the reactor has no wheel, TypeError if hosts is one string. If you take the
    wheel out later, the page says so.
    """

    def __init__(self, reactor: Any, *, hosts: Iterable[str] = ()) -> None:
        require_reactors_queue(reactor)
        super().__init__()
        self._hosts = Hosts(hosts)
        resources: dict[str, Any] = {path: _File(*file) for path, file in _FILES.items()}
        resources["data.json"] = _Data(reactor)
        for path, resource in resources.items():
            self.putChild(path.encode(), resource)

    def getChildWithDefault(self, path: bytes, request: Request) -> Any:
        """The child of a name, if the request is allowed."""
        if self._hosts.may_ask(request):
            return super().getChildWithDefault(path, request)
        return forbidden(
            message="At this address the page answers only to localhost and to IP addresses. For "
            "another name, give it to TimersPage(reactor, hosts=[...])."
        )

    def getChild(self, path: bytes, request: Request) -> Any:
        """The answer 404."""
        return notFound()

    def render_GET(self, request: Request) -> bytes:
        """Redirect to the URL with a slash at its end, on which the files' names depend."""
        _set_headers(request, "text/plain; charset=utf-8")
        last = request.prepath[-1] if request.prepath else b""
        request.redirect(f"./{quote(last, safe='')}/".encode())
        return b""


class _File(Resource):
    """A file of the package."""

    isLeaf = True

    def __init__(self, name: str, kind: str) -> None:
        super().__init__()
        self._content = (files(__package__) / "static" / name).read_bytes()
        self._tag = f'"{sha256(self._content).hexdigest()[:32]}"'.encode()
        self._kind = kind

    def render_GET(self, request: Request) -> bytes:
        _set_headers(request, self._kind)
        request.setHeader(b"cache-control", b"no-cache")  # which means: ask whether it has changed
        return b"" if request.setETag(self._tag) else self._content


class _Data(Resource):
    """The figures, as JSON."""

    isLeaf = True

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self._surveyor = Surveyor(reactor)
        self._made = 0.0
        self._content = b""

    def render_GET(self, request: Request) -> bytes:
        _set_headers(request, "application/json")
        request.setHeader(b"cache-control", b"no-store")
        now = self._reactor.seconds()
        if not self._content or not 0 <= now - self._made < FRESH:
            self._content = self._make()
            self._made = now
        return self._content

    def _make(self) -> bytes:
        surveyor = self._surveyor
        data = snapshot(self._reactor, surveyor.latest, surveyor.age)
        if data["stats"] is not None:
            surveyor.want()
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()


def _set_headers(request: Request, kind: str) -> None:
    request.setHeader(b"content-type", kind.encode())
    for name, value in _HEADERS.items():
        request.setHeader(name.encode(), value.encode())
