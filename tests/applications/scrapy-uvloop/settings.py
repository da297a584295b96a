import asyncio

import uvloop
from timerwheel.reactors import asyncioreactor

loop = uvloop.new_event_loop()
asyncio.set_event_loop(loop)  # without this, Scrapy waits forever on another loop
asyncioreactor.install(loop)

TWISTED_REACTOR = "timerwheel.reactors.asyncioreactor.AsyncioSelectorReactor"
