"""The clients: as many connections as asked for, each sending one message and waiting for its echo.

They run in a process of their own, all in one loop over plain sockets, which costs a fraction of
what the server does for the same message. The loop ends when the server hangs up, or by itself
after a time.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import time
from dataclasses import asdict
from selectors import EVENT_READ, DefaultSelector

from timerwheel.demo.plan import MESSAGE_BYTES
from timerwheel.demo.result import LoadResult

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
        """Send the next message, which no other one equals."""
        self._expected = _MESSAGE.pack(self._number, self.sent)
        self.socket.sendall(self._expected)
        self.sent += 1

    def receive(self) -> bool:
        """Take what has come, and send the next message when the echo is whole.

        @return: whether the connection is still open.

        @raise ValueError: the echo is not what was sent.
        """
        try:
            data = self.socket.recv(MESSAGE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            return False
        self._buffer += data
        if len(self._buffer) < MESSAGE_BYTES:
            return True
        if self._buffer != self._expected:
            raise ValueError(f"connection {self._number} received a wrong echo")
        self._buffer = b""
        self.received += 1
        try:
            self.send()
        except ConnectionError:
            return False
        return True


def play(port: int, connections: int, seconds: float) -> LoadResult:
    """Connect, and exchange messages until the server hangs up.

    @param seconds: when to give up if it does not.
    """
    began, cpu = time.monotonic(), time.process_time()
    clients = [Client(number, port) for number in range(connections)]
    problems: list[str] = []
    with DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, EVENT_READ, client)
            client.send()
        try:
            _exchange(selector, began + seconds)
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


def _exchange(selector: DefaultSelector, give_up: float) -> None:
    """Serve all clients until every connection is closed.

    @raise TimeoutError: `give_up`, a time of `time.monotonic`, has passed.
    """
    while selector.get_map():
        if time.monotonic() > give_up:
            raise TimeoutError("the server did not hang up in time")
        for key, _ in selector.select(1.0):
            if not key.data.receive():
                selector.unregister(key.fileobj)


def main() -> int:
    """Play as the command line says, and print what was seen as one line of JSON."""
    parser = argparse.ArgumentParser(description="the clients of the demonstration")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    result = play(options.port, options.connections, options.seconds)
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
