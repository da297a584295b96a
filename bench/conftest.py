"""Options of the suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("timerwheel")
    group.addoption(
        "--sizes",
        default="1000,10000,100000,1000000",
        help="numbers of pending timers, with commas (default: %(default)s); ten million is for "
        "ours and the floor alone",
    )
    group.addoption("--repeats", type=int, default=3, help="turns of the parties (default: 3)")
