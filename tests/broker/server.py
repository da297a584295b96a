"""A RabbitMQ server for tests: on loopback, with a node name, folder, user and vhost of its own.

    python tests/broker/server.py COMMAND...

runs a command with the server's URL in TIMERWHEEL_BROKER.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # which, unlike that on the PATH, any user may run
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
PATIENCE = 120

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = timerwheel
default_pass = secret
default_vhost = tests
"""


class BrokerServer:
    """A server that can be stopped and started again, with what it holds."""

    def __init__(self, folder: Path) -> None:
        self.port, self._dist_port, self._epmd_port = free_ports(3)
        self.url = f"amqp://timerwheel:secret@127.0.0.1:{self.port}/tests"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"
        configuration = folder / "rabbitmq.conf"
        configuration.write_text(CONFIGURATION.format(port=self.port))
        self._environment = {
            **os.environ,
            "HOME": str(folder),  # where Erlang's cookie goes
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_NODENAME": f"timerwheel{self.port}@localhost",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }

    def __enter__(self) -> BrokerServer:
        self.start()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        # Erlang's name server was started by the server, and outlives it.
        subprocess.run(
            ["epmd", "-port", str(self._epmd_port), "-kill"],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [SERVER],
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not takes_connections(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not start: {self._log.read_text()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it in order; what is durable stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End all of its processes at once."""
        self._end(signal.SIGKILL)

    def add_virtual_host(self, queue_type: str) -> str:
        """Make a virtual host where that is the default type of queues. Returns its URL."""
        self._control("add_vhost", queue_type, "--default-queue-type", queue_type)
        self._control("set_permissions", "-p", queue_type, "timerwheel", ".*", ".*", ".*")
        return self.url.removesuffix("tests") + queue_type

    def _control(self, *command: str) -> None:
        node = self._environment["RABBITMQ_NODENAME"]
        subprocess.run(
            [CONTROL, "--node", node, *command],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if number is signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.wait(PATIENCE)
        while takes_connections(self.port):
            time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Ports of loopback on which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def takes_connections(port: int) -> bool:
    """Whether an AMQP server answers: with a frame of method Connection.Start."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return client.recv(1) == b"\x01"
    except OSError:
        return False


def main() -> int:
    """Run a command beside a server. Returns its exit status."""
    with tempfile.TemporaryDirectory() as folder, BrokerServer(Path(folder)) as server:
        environment = {**os.environ, "TIMERWHEEL_BROKER": server.url}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
