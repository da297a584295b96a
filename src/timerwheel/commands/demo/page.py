"""The page of the demonstration's server, and its metrics for Prometheus."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from twisted.web.server import Site

import timerwheel
from timerwheel.web import TimersPage

ORIGINS = 100
"""The page remembers who scheduled one call in so many."""


def open_page(reactor: Any, port: int) -> str:
    """Listen on this machine's own address, and watch the calls.

    @param port: 0 is any that is free.

    @return: the URL of the page. If prometheus_client is installed, its metrics are below it.
    """
    timerwheel.watch(reactor, origins=ORIGINS)
    page = TimersPage(reactor)
    if find_spec("prometheus_client") is not None:
        page.putChild(b"metrics", _metrics(reactor))
    listening = reactor.listenTCP(port, Site(page), interface="127.0.0.1")
    return f"http://127.0.0.1:{listening.getHost().port}/"


def _metrics(reactor: Any) -> Any:
    from prometheus_client import CollectorRegistry
    from prometheus_client.twisted import MetricsResource

    from timerwheel.prometheus import Collector

    registry = CollectorRegistry()
    registry.register(Collector(reactor))
    return MetricsResource(registry)
