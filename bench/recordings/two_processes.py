"""For scripts that record a server, with a process of its own for all clients."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable


def start_clients(script: str, port: int) -> subprocess.Popen[bytes]:
    """Start the process of the clients of a script."""
    return subprocess.Popen([sys.executable, script, "--clients", str(port)])


def main(
    description: str | None, serve: Callable[[str], None], play_clients: Callable[[int], None]
) -> None:
    """Run the server, which records to a file, or the clients, which get its port."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("file", help="where the recording goes", nargs="?")
    parser.add_argument("--clients", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.clients:
        play_clients(options.clients)
    elif options.file is None:
        parser.error("where does the recording go?")
    else:
        serve(options.file)
