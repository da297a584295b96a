"""Record the timers of a Scrapy crawl: `python bench/recordings/crawl.py FILE`.

Crawls a site that this script serves on loopback, in a process of its own: `PAGES` pages, each with
`LINKS` links and a delay of its own. One in fifty is slower than `TIMEOUT`, so its download fails.
On the asyncio reactor Scrapy uses mostly asyncio's own timers, which the recorder does not see. So
this runs on epoll.

Needs `pip install scrapy`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

PAGES = 1500
LINKS = 8
CONCURRENT = 64
TIMEOUT = 3.0


class LocalSpider(scrapy.Spider):
    """Follows all links of the site."""

    name = "local"

    def __init__(self, start: str) -> None:
        super().__init__()
        self.start_urls = [start]

    def parse(self, response: Any) -> Iterator[Any]:
        yield {"url": response.url}
        yield from response.follow_all(css="a")


def serve() -> None:
    """Serve the site, and print its port."""
    from twisted.internet import endpoints, reactor
    from twisted.web.resource import Resource
    from twisted.web.server import NOT_DONE_YET, Site

    class Page(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> int:
            number = int(request.path.strip(b"/") or b"0")
            chance = random.Random(number)
            links = chance.choices(range(PAGES), k=LINKS)
            wait = 2 * TIMEOUT if number % 50 == 49 else chance.expovariate(1 / 0.15)
            body = "".join(f'<a href="/{link}">{link}</a>\n' for link in links).encode()
            answer = reactor.callLater(wait, self.answer, request, body)
            request.notifyFinish().addErrback(lambda _: answer.active() and answer.cancel())
            return NOT_DONE_YET

        def answer(self, request: Any, body: bytes) -> None:
            request.setHeader("content-type", "text/html")
            request.write(body)
            request.finish()

    def listening(port: Any) -> None:
        print(port.getHost().port, flush=True)

    endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    endpoint.listen(Site(Page())).addCallback(listening)
    reactor.run()


def crawl(port: int, file: str) -> None:
    """Crawl the site and record the timers."""
    process = CrawlerProcess(
        {
            "TWISTED_REACTOR": "twisted.internet.epollreactor.EPollReactor",
            "LOG_LEVEL": "CRITICAL",
            "CONCURRENT_REQUESTS": CONCURRENT,
            "CONCURRENT_REQUESTS_PER_DOMAIN": CONCURRENT,
            "DOWNLOAD_DELAY": 0.002,
            "DOWNLOAD_TIMEOUT": TIMEOUT,
            "RETRY_TIMES": 1,
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(LocalSpider, f"http://127.0.0.1:{port}/0")
    from twisted.internet import reactor

    from timerwheel import record

    with record(reactor, file):
        process.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="where the recording goes", nargs="?")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    if options.file is None:
        parser.error("where does the recording go?")
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as site:
        assert site.stdout is not None
        try:
            crawl(int(site.stdout.readline()), options.file)
        finally:
            site.kill()


if __name__ == "__main__":
    main()
