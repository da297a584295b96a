"""The clients: as many connections as asked for, which send messages at a fixed pace.

Both sides get the same messages a second. A client sends a message and waits for its echo. The
clients run in a process of their own, all in one loop over plain sockets. That loop costs a
fraction of the server's work for the same message. It ends when the server hangs up, or after a
time limit.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from selectors import EVENT_READ, DefaultSelector

from timerwheel.commands.demo.plan import MESSAGE_BYTES
from timerwheel.commands.demo.result import LoadResult

DEBT = 0.5
"""The most seconds that the clients may be behind. They drop older messages, so that they do not
flood a server that stood still, as it does while it schedules its timers.
"""

_MESSAGE = struct.Struct(f"!IQ{MESSAGE_BYTES - 12}x")


class Client:
    """One connection.

    @ivar received: how many echoes came back whole and right.
    @ivar sent: how many messages were sent.
    """

    def __init__(self, number: int, port: int) -> None:
        self._number = number
        self._expected = b""
        self._buffer = b""
        self.sent = 0
        self.received = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        """Send the next message. No two messages are equal."""
        self._expected = _MESSAGE.pack(self._number, self.sent)
        self.socket.sendall(self._expected)
        self.sent += 1

    def receive(self) -> bool:
        """Receive the available bytes.

        @return: whether the echo is whole.

        @raise EOFError: the server has hung up.
        @raise ValueError: the echo is not what was sent.
        """
        try:
            data = self.socket.recv(MESSAGE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        self._buffer += data
        if len(self._buffer) < MESSAGE_BYTES:
            return False
        if self._buffer != self._expected:
            raise ValueError(f"connection {self._number} received a wrong echo")
        self._buffer = b""
        self.received += 1
        return True


def play(port: int, connections: int, pace: float, seconds: float) -> LoadResult:
    """Connect, and exchange messages until the server hangs up.

    @param pace: messages a second, of all clients together.
    @param seconds: when to give up if it does not.
    """
    began, cpu = time.monotonic(), time.process_time()
    clients = [Client(number, port) for number in range(connections)]
    problems: list[str] = []
    with DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, EVENT_READ, client)
        try:
            _exchange(selector, deque(clients), pace, began + seconds)
        except (TimeoutError, ValueError) as error:
            problems.append(str(error))
    for client in clients:
        client.socket.close()
    return LoadResult(
        sent=sum(client.sent for client in clients),
        received=sum(client.received for client in clients),
        cpu=time.process_time() - cpu,
        seconds=time.monotonic() - began,
        problems=problems,
    )


def _exchange(selector: DefaultSelector, idle: deque[Client], pace: float, give_up: float) -> None:
    """Serve all clients until every connection is closed.

    @param idle: the clients that wait for no echo; the first of them sends next.

    @raise TimeoutError: `give_up`, a time of `time.monotonic`, has passed.
    """
    due = time.monotonic()  # when the next message is
    while selector.get_map():
        now = time.monotonic()
        if now > give_up:
            raise TimeoutError("the server did not hang up in time")
        due = max(due, now - DEBT)
        while idle and due <= now:
            # (Where the server has hung up, that shows when its socket is read.)
            with suppress(ConnectionError):
                idle.popleft().send()
            due += 1 / pace
        for key, _ in selector.select(min(1.0, max(0.0, due - now)) if idle else 1.0):
            try:
                if key.data.receive():
                    idle.append(key.data)
            except EOFError:
                selector.unregister(key.fileobj)


def main() -> int:
    """Play as the command line says, and print what was seen as one line of JSON."""
    parser = argparse.ArgumentParser(description="the clients of the demonstration")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--pace", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    result = play(options.port, options.connections, options.pace, options.seconds)
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
