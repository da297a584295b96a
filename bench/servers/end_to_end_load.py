"""
The clients of `end_to_end.py`: keep-alive connections in closed loop, over plain sockets in one
loop, which costs a fraction of what the server does for the same message.

Every client sends a message, waits for the whole answer, checks it, and sends the next. On SIGINT
each client still waits for its answer, so that in the end all messages have their answers.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from selectors import EVENT_READ, DefaultSelector

MESSAGE_BYTES = 32
"""The size of one message of the echo server, and of its echo."""

BODY = b"All is well.\n"
"""The web server's answer."""

PATIENCE = 10.0
"""Seconds without any answer after which the server counts as stuck."""

_MESSAGE = struct.Struct(f"!IQ{MESSAGE_BYTES - 12}x")
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_STATUS = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Seen:
    """
    What the clients saw.

    @ivar sent: messages sent.
    @ivar received: answers that came back whole and right.
    @ivar problems: what was wrong, a sentence each.
    """

    sent: int = 0
    received: int = 0
    problems: list[str] = field(default_factory=list)


class EchoTalk:
    """Messages of which no two are equal, and their echoes."""

    def request(self, client: int, number: int) -> bytes:
        """
        @return: what client `client` sends as its message `number`.
        """
        return _MESSAGE.pack(client, number)

    def whole(self, answer: bytes) -> bool:
        """
        @return: whether all of the answer has come.
        """
        return len(answer) >= MESSAGE_BYTES

    def right(self, answer: bytes, request: bytes) -> bool:
        """
        @return: whether a whole answer is the one to `request`.
        """
        return answer == request


class WebTalk:
    """Requests for the one page that there is."""

    def request(self, client: int, number: int) -> bytes:
        """
        @return: what each client sends each time.
        """
        return _REQUEST

    def whole(self, answer: bytes) -> bool:
        """
        @return: whether the headers and as many bytes as the page has have come.
        """
        headers = answer.find(b"\r\n\r\n")
        return headers >= 0 and len(answer) >= headers + 4 + len(BODY)

    def right(self, answer: bytes, request: bytes) -> bool:
        """
        @return: whether a whole answer is the page, with status 200.
        """
        return answer.startswith(_STATUS) and answer.partition(b"\r\n\r\n")[2] == BODY


TALKS: dict[str, EchoTalk | WebTalk] = {"echo": EchoTalk(), "web": WebTalk()}


class Client:
    """One connection."""

    def __init__(self, number: int, port: int, talk: EchoTalk | WebTalk, seen: Seen) -> None:
        self._number = number
        self._talk = talk
        self._seen = seen
        self._sent = 0
        self._answer = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        """Send the next message."""
        self._request = self._talk.request(self._number, self._sent)
        self.socket.sendall(self._request)
        self._sent += 1
        self._seen.sent += 1

    def receive(self) -> bool:
        """
        Take what has come.

        @return: whether the answer is whole.

        @raise ValueError: the answer is wrong.
        """
        data = self.socket.recv(4096)
        if not data:
            raise ValueError(f"the server hung up on connection {self._number}")
        self._answer += data
        if not self._talk.whole(self._answer):
            return False
        if not self._talk.right(self._answer, self._request):
            raise ValueError(f"connection {self._number} received a wrong answer")
        self._answer = b""
        self._seen.received += 1
        return True


class Load:
    """All clients, until they are told to stop."""

    def __init__(self, workload: str, port: int, connections: int) -> None:
        self.seen = Seen()
        self._stopping = False
        talk = TALKS[workload]
        self._clients = [Client(number, port, talk, self.seen) for number in range(connections)]

    def stop(self, *_signal: object) -> None:
        """Send nothing more."""
        self._stopping = True

    def run(self) -> None:
        """Exchange messages until told to stop and all answers are there, or one is wrong."""
        with DefaultSelector() as selector:
            for client in self._clients:
                selector.register(client.socket, EVENT_READ, client)
                client.send()
            try:
                self._exchange(selector)
            except (OSError, ValueError) as error:
                self.seen.problems.append(str(error))
        for client in self._clients:
            client.socket.close()

    def _exchange(self, selector: DefaultSelector) -> None:
        """
        @raise TimeoutError: no answer came for a long time.
        """
        heard = time.monotonic()
        while selector.get_map():
            ready = selector.select(1.0)
            now = time.monotonic()
            if ready:
                heard = now
            elif now > heard + PATIENCE:
                raise TimeoutError(f"the server did not answer for {PATIENCE:.0f} s")
            for key, _ in ready:
                if key.data.receive():
                    if self._stopping:
                        selector.unregister(key.fileobj)
                    else:
                        key.data.send()


def main() -> int:
    """Play as the command line says, and print what was seen as one line of JSON."""
    parser = argparse.ArgumentParser(description="the clients of end_to_end.py")
    parser.add_argument("--workload", choices=list(TALKS), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    options = parser.parse_args()
    load = Load(options.workload, options.port, options.connections)
    signal.signal(signal.SIGINT, load.stop)
    load.run()
    print(json.dumps(asdict(load.seen)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
