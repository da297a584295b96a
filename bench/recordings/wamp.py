"""Record the timers of a WAMP router: `python bench/recordings/wamp.py FILE`.

The router is an unchanged crossbar with one node. The router worker records itself, with a
component of the module `wamp_recorder.py`. `CLIENTS` autobahn clients, in a process of their own,
have WebSocket connections with pings both ways. Each subscribes to a topic, registers a procedure,
and publishes and calls every `TALK` seconds on average. Some leave for good meanwhile.

Autobahn batches its timers (txaio's batched timers), so a router has few for its many connections.

Needs `pip install crossbar`.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from two_processes import main, start_clients

CLIENTS = 200
SECONDS = 30.0
TALK = 2.0
WEBSOCKET = {
    "auto_ping_interval": 2000,
    "auto_ping_timeout": 1500,
    "auto_ping_size": 12,
    "open_handshake_timeout": 2500,
    "close_handshake_timeout": 1000,
}
HERE = Path(__file__).parent


def configuration(port: int, file: str) -> dict[str, Any]:
    """What crossbar runs."""
    calls = {
        "match": "prefix",
        "uri": "",
        "allow": dict.fromkeys(("call", "register", "publish", "subscribe"), True),
    }
    return {
        "version": 2,
        "workers": [
            {
                "type": "router",
                "options": {"pythonpath": [str(HERE)]},
                "realms": [
                    {"name": "bench", "roles": [{"name": "anonymous", "permissions": [calls]}]}
                ],
                "transports": [
                    {
                        "type": "websocket",
                        "endpoint": {"type": "tcp", "interface": "127.0.0.1", "port": port},
                        "options": WEBSOCKET,
                    }
                ],
                "components": [
                    {
                        "type": "class",
                        "classname": "wamp_recorder.Recorder",
                        "realm": "bench",
                        "role": "anonymous",
                        "extra": {"file": file, "seconds": SECONDS},
                    }
                ],
            }
        ],
    }


def play_clients(port: int) -> None:
    """Be all clients, for as long as the router records."""
    import txaio

    txaio.use_twisted()
    from autobahn.exception import Disconnected
    from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
    from autobahn.wamp.exception import TransportLost
    from autobahn.wamp.types import RegisterOptions
    from twisted.internet import reactor

    class Session(ApplicationSession):  # type: ignore[misc]
        """A client that publishes and calls now and then."""

        def onJoin(self, details: Any) -> None:
            self.number = self.config.extra["number"]
            self.chance = random.Random(self.number)
            self.subscribe(lambda *_: None, f"bench.topic.{self.number % 10}")
            self.register(
                lambda number: number + 1,
                f"bench.add.{self.number}",
                options=RegisterOptions(invoke="last"),
            )
            self.talk()
            if self.chance.random() < 0.3:
                reactor.callLater(self.chance.uniform(2, SECONDS), self.leave)

        def talk(self) -> None:
            try:
                self.publish(f"bench.topic.{self.number % 10}", self.number)
                called = self.call(f"bench.add.{self.chance.randrange(CLIENTS)}", 1)
            except (Disconnected, TransportLost):
                return
            called.addErrback(lambda _: None)  # the other may have gone
            reactor.callLater(self.chance.expovariate(1 / TALK), self.talk)

    def start(number: int) -> None:
        runner = ApplicationRunner(f"ws://127.0.0.1:{port}", "bench", extra={"number": number})
        started = runner.run(Session, start_reactor=False, auto_reconnect=True, log_level="error")
        started.addErrback(lambda _: None)

    for number in range(CLIENTS):
        reactor.callLater(number / CLIENTS * 3, start, number)
    reactor.callLater(SECONDS + 5, reactor.stop)
    reactor.run()


def serve(file: str) -> None:
    """Run a node and the clients, until the recording is complete."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(configuration(port, str(Path(file).resolve()))))
        command = [str(Path(sys.executable).parent / "crossbar"), "start", "--cbdir", folder]
        with subprocess.Popen([*command, "--loglevel", "warn"]) as node:
            start_clients(__file__, port).wait()
            node.terminate()


if __name__ == "__main__":
    main(__doc__, serve, play_clients)
