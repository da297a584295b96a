"""Options of the suite, and what its tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from operations.parties import PARTIES


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("timerwheel")
    group.addoption(
        "--sizes",
        default="1000,10000,100000,1000000",
        help="numbers of pending timers, with commas (default: %(default)s); ten million is for "
        "ours and the floor alone",
    )
    group.addoption("--repeats", type=int, default=3, help="turns of the parties (default: 3)")


@pytest.fixture(scope="session")
def parties() -> Iterator[dict[str, Any]]:
    """One of each party, for the whole session: a process has one installed reactor."""
    made = {party.name: party() for party in PARTIES}
    yield made
    for party in made.values():
        party.close()
