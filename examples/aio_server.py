"""An aiohttp server with WebSockets. Its heartbeats and keep-alive timeouts are on the wheel.

    pip install aiohttp
    python examples/aio_server.py                       # then open http://127.0.0.1:8080/
    python examples/aio_server.py --loop asyncio        # the same without the wheel

Each WebSocket has a heartbeat: two timers that every message moves. Each idle connection has a
keep-alive timeout. /timers shows the wheel's figures.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import WSMsgType, web

import timerwheel
from timerwheel import aio

PAGE = """<!doctype html><title>echo</title><input autofocus><pre></pre><script>
const socket = new WebSocket(`ws://${location.host}/echo`), output = document.querySelector("pre")
socket.onmessage = event => output.append(event.data + "\\n")
document.querySelector("input").onchange = event => socket.send(event.target.value)
</script>"""


async def page(request: web.Request) -> web.Response:
    """A page that talks to /echo."""
    return web.Response(text=PAGE, content_type="text/html")


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send each message back."""
    socket = web.WebSocketResponse(heartbeat=30)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def timers(request: web.Request) -> web.Response:
    """The figures of the wheel of the running loop."""
    loop = asyncio.get_running_loop()
    if not timerwheel.status(loop).accelerated:
        return web.Response(text="There is no wheel in this loop.\n")
    figures = asdict(timerwheel.stats(loop))
    names = ("pending", "scheduled", "fired", "cancelled", "passes", "memory")
    return web.Response(text="".join(f"{name}: {figures[name]:,}\n" for name in names))


def application() -> web.Application:
    """The server."""
    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/echo", echo), web.get("/timers", timers)])
    return app


def uvloop_with_the_wheel() -> Any:
    """A uvloop event loop with the wheel."""
    import uvloop

    loop = uvloop.new_event_loop()
    aio.accelerate(loop)
    return loop


def uvloops() -> Any:
    """The same without the wheel."""
    import uvloop

    return uvloop.new_event_loop()


LOOPS: dict[str, Callable[[], Any]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloops,
    "ours": aio.new_event_loop,
    "uvloop+ours": uvloop_with_the_wheel,
}


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=LOOPS, default="ours")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    web.run_app(
        application(),
        host="127.0.0.1",
        port=options.port,
        loop=LOOPS[options.loop](),
        keepalive_timeout=75,
    )


if __name__ == "__main__":
    main()
