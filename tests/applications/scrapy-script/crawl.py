import sys

from scrapy.crawler import AsyncCrawlerProcess
from spider import Pages

import timerwheel

process = AsyncCrawlerProcess({"FEEDS": {"items.jsonl": {"format": "jsonlines"}}})
process.crawl(Pages, site=sys.argv[1])

from twisted.internet import reactor

timerwheel.accelerate(reactor)
process.start()
