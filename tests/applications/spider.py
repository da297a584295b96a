"""Follows the links of a site of ten pages."""

import timerwheel
from scrapy import Spider


class Pages(Spider):
    name = "pages"
    download_delay = 0.05

    async def start(self):
        from scrapy import Request

        yield Request(self.site)

    def parse(self, response):
        yield {"page": response.css("h1::text").get()}
        yield from response.follow_all(css="a")

    def closed(self, reason):
        from twisted.internet import reactor

        self.logger.info("%r", timerwheel.status(reactor))
