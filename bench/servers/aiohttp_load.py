"""The clients of `aiohttp_server.py`: half of them WebSockets, half ask for pages.

Plain sockets in one loop, which cost a fraction of what the server does for the same message. One
connection in ten talks, each in turn, so many messages a second as `--rate` says; the others are
idle, and their WebSockets answer the server's heartbeats. SIGINT ends it once all that was sent is
answered.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import signal
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from selectors import EVENT_READ, DefaultSelector

from end_to_end_load import Seen as SeenByClients
from end_to_end_load import WebTalk

PATIENCE = 20.0
"""Seconds without any answer after which the server is taken to be stuck."""

IDLE = 10
"""Of so many connections one talks."""

AT_ONCE = 100
"""Connections that are opened at once."""

_PAGES = WebTalk()
_UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)
# (A client masks what it sends. A mask of zeros leaves it as it is.)
_MASKED, _NO_MASK = 0x80, bytes(4)
_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A


def raise_limit_of_descriptors() -> None:
    """Have this process open as many descriptors as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass
class Seen(SeenByClients):
    """
    What the clients saw.

    @ivar heartbeats: heartbeats of the server's that were answered.
    """

    heartbeats: int = 0


class Client:
    """A connection that asks for pages."""

    def __init__(self, number: int, port: int, seen: Seen) -> None:
        self._number, self._seen = number, seen
        self._buffer = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Its port is free at once when it is closed.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def begin(self) -> None:
        """Do what is needed before the first message."""

    def begun(self) -> None:
        """Wait until that is done."""

    def send(self) -> None:
        """Send the next message."""
        self.socket.sendall(self._request())
        self._seen.sent += 1

    def receive(self) -> bool:
        """
        Take what has come.

        @return: whether it has the answer to what was sent.

        @raise ValueError: the answer is wrong.
        """
        data = self.socket.recv(65536)
        if not data:
            raise ValueError(f"the server hung up on connection {self._number}")
        self._buffer += data
        answered = self._take()
        self._seen.received += answered
        return answered

    def _request(self) -> bytes:
        return _PAGES.request(self._number, 0)

    def _take(self) -> bool:
        if not _PAGES.whole(self._buffer):
            return False
        if not _PAGES.right(self._buffer, self._request()):
            raise ValueError(f"connection {self._number} received a wrong page")
        self._buffer = b""
        return True


class WebSocket(Client):
    """A WebSocket, which sends messages of which no two are equal and expects them back."""

    _messages = 0
    _expected = b""

    def begin(self) -> None:
        self.socket.sendall(_UPGRADE)

    def begun(self) -> None:
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self.socket.recv(65536)
        answer, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise ValueError(f"the server refused a WebSocket: {answer!r}")

    def _request(self) -> bytes:
        self._messages += 1
        text = b"message %d of connection %d" % (self._messages, self._number)
        self._expected = text
        return bytes([_TEXT, _MASKED | len(text)]) + _NO_MASK + text

    def _take(self) -> bool:
        """(The frames of this server are short: their length is in the second byte.)"""
        answered = False
        while len(self._buffer) >= 2 and len(self._buffer) >= 2 + self._buffer[1]:
            kind, length = self._buffer[:2]
            text, self._buffer = self._buffer[2 : 2 + length], self._buffer[2 + length :]
            if kind == _PING:
                self.socket.sendall(bytes([_PONG, _MASKED | length]) + _NO_MASK + text)
                self._seen.heartbeats += 1
            elif kind == _TEXT and text == self._expected:
                answered = True
            else:
                raise ValueError(f"connection {self._number} received a wrong frame")
        return answered


class Load:
    """All clients, until they are told to stop."""

    def __init__(self, port: int, connections: int, rate: float) -> None:
        self.seen = Seen()
        self._stopping = False
        self._rate = rate
        self._selector = DefaultSelector()
        self._clients: list[Client] = []
        for first in range(0, connections, AT_ONCE):
            self._open(port, range(first, min(first + AT_ONCE, connections)))
            self._receive(0)  # heartbeats
        # (In pairs: each second one is a WebSocket.)
        self._waiting = deque(c for n, c in enumerate(self._clients) if n // 2 % IDLE == 0)

    def _open(self, port: int, numbers: range) -> None:
        some = [
            (WebSocket if number % 2 else Client)(number, port, self.seen) for number in numbers
        ]
        for client in some:
            client.begin()
        for client in some:
            client.begun()
            self._selector.register(client.socket, EVENT_READ, client)
        self._clients += some

    def stop(self, *_signal: object) -> None:
        """Send nothing more."""
        self._stopping = True

    def run(self) -> None:
        """Exchange messages until told to stop and all answers are there, or one is wrong."""
        try:
            self._exchange()
        except (OSError, ValueError) as error:
            self.seen.problems.append(str(error))
        self._selector.close()
        for client in self._clients:
            client.socket.close()

    def _exchange(self) -> None:
        """
        @raise TimeoutError: no answer came for a long time.
        """
        began = heard = time.monotonic()
        while self.seen.received < self.seen.sent or not self._stopping:
            now = time.monotonic()
            if now > heard + PATIENCE:
                raise TimeoutError(f"the server did not answer for {PATIENCE:.0f} s")
            due = int((now - began) * self._rate)
            while self.seen.sent < due and self._waiting and not self._stopping:
                self._waiting.popleft().send()
            answered = self._receive(max(0.0, (due + 1) / self._rate - (now - began)))
            if answered or self.seen.received == self.seen.sent:
                heard = now
            self._waiting.extend(answered)

    def _receive(self, patience: float) -> list[Client]:
        """
        Take what has come, waiting for it so many seconds at most.

        @return: the clients whose answers are there.
        """
        ready = self._selector.select(patience)
        return [key.data for key, _ in ready if key.data.receive()]


def main() -> int:
    """Play as the command line says, and print what was seen as a line of JSON."""
    parser = argparse.ArgumentParser(description="the clients of aiohttp_server.py")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    options = parser.parse_args()
    raise_limit_of_descriptors()
    load = Load(options.port, options.connections, options.rate)
    print(json.dumps({"connected": options.connections}), flush=True)
    signal.signal(signal.SIGINT, load.stop)
    load.run()
    print(json.dumps(asdict(load.seen)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
