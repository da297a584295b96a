"""The clients of the chat server: they send, fall silent, are hung up on, and come again."""

from __future__ import annotations

import socket
from random import Random
from selectors import EVENT_READ, DefaultSelector
from threading import Event, Thread
from time import monotonic

from plan import SEED

CLIENTS = 40

# Seconds between two messages of a client, on average, and how often one falls silent instead.
PAUSE = 0.05
SILENT = 0.03


class Client:
    """One connection after the other."""

    def __init__(self, port: int, chance: Random) -> None:
        self._port = port
        self._chance = chance
        self.connect()

    def connect(self) -> None:
        """Come, or come again."""
        self.socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self.next_message = monotonic()

    def send(self) -> None:
        """Send what is to be sent now, and settle when the next is: never, if it falls silent."""
        self.socket.sendall(b"Hello, world!\n")
        silent = self._chance.random() < SILENT
        self.next_message += float("inf") if silent else 2 * PAUSE * self._chance.random()

    def is_open(self) -> bool:
        """Take what has come. Returns whether the server has not hung up."""
        try:
            return bool(self.socket.recv(4096))
        except ConnectionError:
            return False


class Clients(Thread):
    """All clients, in a thread. error is why it ended, if it was not told to."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.error: Exception | None = None
        chance = Random(SEED)
        self._clients = [Client(port, chance) for _ in range(CLIENTS)]
        self._hushed = Event()

    def hush(self) -> None:
        """Have no client send anything or come again."""
        self._hushed.set()
        self.join()

    def close(self) -> None:
        """Have all clients hang up."""
        for client in self._clients:
            client.socket.close()

    def run(self) -> None:
        try:
            with DefaultSelector() as selector:
                for client in self._clients:
                    selector.register(client.socket, EVENT_READ, client)
                while not self._hushed.is_set():
                    self._turn(selector)
        except OSError as error:
            self.error = error

    def _turn(self, selector: DefaultSelector) -> None:
        for key, _ in selector.select(PAUSE / 5):
            self._receive(selector, key.data)
        now = monotonic()
        for client in self._clients:
            if client.next_message <= now:
                self._send(client)

    def _receive(self, selector: DefaultSelector, client: Client) -> None:
        if not client.is_open():
            selector.unregister(client.socket)
            client.socket.close()
            client.connect()
            selector.register(client.socket, EVENT_READ, client)

    def _send(self, client: Client) -> None:
        try:
            client.send()
        except ConnectionError:
            client.next_message = float("inf")  # it will be seen that the server has hung up
