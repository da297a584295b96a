"""The server of `aiohttp_server.py`: WebSockets with heartbeats, and pages with keep-alive.

It runs in a process of its own, on one event loop, and writes lines of JSON: the port it listens
on; what it measured between SIGUSR1 and the end of `--seconds`; and, once SIGTERM has stopped it,
what it answered in all and what went wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import ServerTimeoutError, WSMsgType, web

# What the folders of bench share is found from there.
sys.path.insert(0, str(Path(__file__).parents[1]))

from aiohttp_load import raise_limit_of_descriptors
from end_to_end_load import BODY
from operations.aio import PARTIES, new_loop

KEEP_ALIVE = 75.0
"""Seconds after which the server hangs up on a connection that asks for no page: its default."""

LOOKS = 0.005
"""Seconds between two looks whether the loop stands still."""


class Server:
    """
    One run.

    @ivar messages: what was answered: pages and messages of WebSockets.
    """

    def __init__(self, loop: Any, heartbeat: float, seconds: float) -> None:
        self._loop = loop
        self._heartbeat = heartbeat
        self._seconds = seconds
        self._stall = 0.0
        self._problems: list[str] = []
        self.messages = 0

    async def run(self) -> None:
        """Listen, measure when told to, and serve until SIGTERM."""
        self._loop.set_exception_handler(self._note_problem)
        stopped = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGUSR1, self._open)
        self._loop.add_signal_handler(signal.SIGTERM, stopped.set)
        app = web.Application()
        app.add_routes([web.get("/", self._page), web.get("/echo", self._echo)])
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEP_ALIVE)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        tell(port=runner.addresses[0][1])
        await stopped.wait()
        tell(messages=self.messages, problems=self._problems)
        await runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        self.messages += 1
        return web.Response(body=BODY)

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=self._heartbeat, compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
                self.messages += 1
        if isinstance(socket.exception(), ServerTimeoutError):
            self._problems.append("a WebSocket missed a heartbeat")
        return socket

    def _open(self) -> None:
        self._look_at = self._loop.time()
        self._look()
        self._loop.call_later(self._seconds, self._close)
        self._began = self.messages, time.perf_counter(), time.process_time()

    def _close(self) -> None:
        messages, wall, cpu = self._began
        messages = self.messages - messages
        cpu = time.process_time() - cpu
        tell(
            messages=messages,
            rate=messages / (time.perf_counter() - wall),
            cpu=cpu / max(messages, 1),
            stall=self._stall,
            memory=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        )
        self._look_at = float("inf")

    def _look(self) -> None:
        """Note how much later than it should this is called, and have it called again."""
        now = self._loop.time()
        if self._look_at < float("inf"):
            self._stall = max(self._stall, now - self._look_at)
            self._look_at = now + LOOKS
            self._loop.call_at(self._look_at, self._look)

    def _note_problem(self, loop: Any, context: dict[str, Any]) -> None:
        problem = f"{context['message']}: {context.get('exception')!r}"
        if problem not in self._problems:  # asyncio tells of a failed accept() hundreds of times
            self._problems.append(problem)


def tell(**facts: Any) -> None:
    """Write a line of JSON."""
    print(json.dumps(facts), flush=True)


def main() -> int:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description="the server of aiohttp_server.py")
    parser.add_argument("--party", choices=PARTIES, required=True)
    parser.add_argument("--heartbeat", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    raise_limit_of_descriptors()
    loop = new_loop(options.party)
    asyncio.set_event_loop(loop)
    loop.run_until_complete(Server(loop, options.heartbeat, options.seconds).run())
    loop.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
