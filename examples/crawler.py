"""A crawler that is gentle with sites: few requests at a time to each, and retries with back-off.

    python examples/crawler.py http://localhost:8000/

follows links within these sites, and prints the status of each page and its number of requests. If
a server fails or is too slow, the crawler tries the page again, after twice the time at each
attempt, with some jitter. While a page waits, another one takes its place. Needs
`pip install ".[retry]"`.
"""

from __future__ import annotations

import argparse
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import tenacity

import timerwheel

timerwheel.install()

from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import react
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss

from timerwheel.tasks import Group, Scheduler


class ServerError(Exception):
    """A server fails, or asks us to slow down."""


class Body(Protocol):
    """The body of a response. Unlike readBody(), it hangs up when you cancel it."""

    def __init__(self) -> None:
        self.data = b""
        self.received: Deferred[bytes] = Deferred(lambda _: self.transport.loseConnection())

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure) -> None:
        is_whole = reason.check(ResponseDone, PotentialDataLoss)
        if not self.received.called:
            self.received.callback(self.data if is_whole else reason)


class Page(HTMLParser):
    """The links of a page."""

    def __init__(self, url: str, body: bytes) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.feed(body.decode("utf-8", "replace"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        target = dict(attributes).get("href")
        if tag == "a" and target:
            self.links.append(urldefrag(urljoin(self.url, target)).url)


class Crawler:
    """Visits pages, each once."""

    def __init__(self, reactor: Any, options: argparse.Namespace) -> None:
        self.pool = HTTPConnectionPool(reactor)
        self.agent = Agent(reactor, pool=self.pool)
        self.scheduler = Scheduler(reactor, max_running=options.max_running)
        self.sites: dict[str, Group] = {}
        for url in options.urls:
            site = urlsplit(url).netloc
            self.sites[site] = self.scheduler.group(site, max_running=options.per_site)
        self.timeout = options.timeout
        self.policy = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(
                (ServerError, TimeoutError, ConnectError, ConnectionLost, ResponseFailed)
            ),
            wait=tenacity.wait_exponential(options.back_off, max=60)
            + tenacity.wait_random(0, options.back_off),
            stop=tenacity.stop_after_attempt(options.attempts),
            before_sleep=report,
            reraise=True,
        )
        self.seen: set[str] = set()

    async def visit(self, urls: list[str], depth: int = 0) -> None:
        """Visit the new ones of these pages, and all pages that they link to, the nearest first."""
        visits = []
        for url in urls:
            if url not in self.seen and urlsplit(url).netloc in self.sites:
                self.seen.add(url)
                visits.append(Deferred.fromCoroutine(self.visit_page(url, depth)))
        await gatherResults(visits)

    async def visit_page(self, url: str, depth: int) -> None:
        task = self.scheduler.call(
            self.fetch,
            url,
            group=self.sites[urlsplit(url).netloc],
            priority=depth,
            timeout=self.timeout,
            retry=self.policy,
        )
        try:
            status, links = await task
        except Exception as error:
            status, links = repr(error), []
        print(url, status, task.attempts)
        await self.visit(links, depth + 1)

    async def fetch(self, url: str) -> tuple[int, list[str]]:
        """Request a page. Returns its status and its links."""
        response = await self.agent.request(b"GET", url.encode())
        body = Body()
        response.deliverBody(body)
        data = await body.received
        if response.code >= 500 or response.code == 429:
            raise ServerError(response.code)
        is_html = "html" in str(response.headers.getRawHeaders("content-type"))
        return response.code, Page(url, data).links if is_html else []


def report(state: tenacity.RetryCallState) -> None:
    """Print which page the crawler will try again, and when."""
    error, wait = state.outcome.exception(), state.next_action.sleep
    print(*state.args, repr(error), f"again in {wait:.3f} s")


async def crawl(reactor: Any, options: argparse.Namespace) -> None:
    crawler = Crawler(reactor, options)
    await crawler.visit(options.urls)
    await crawler.pool.closeCachedConnections()


def main() -> None:
    parser = argparse.ArgumentParser(description="a patient crawler")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--max-running", type=int, default=20, metavar="PAGES")
    parser.add_argument("--per-site", type=int, default=2, metavar="PAGES")
    parser.add_argument("--timeout", type=float, default=10, metavar="SECONDS")
    parser.add_argument("--attempts", type=int, default=5)
    parser.add_argument("--back-off", type=float, default=0.5, metavar="SECONDS")
    react(crawl, (parser.parse_args(),))


if __name__ == "__main__":
    main()
