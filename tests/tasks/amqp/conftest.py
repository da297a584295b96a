"""What the tests of workers and messages share: a worker, and a time of day that stands still."""

from __future__ import annotations

import time

import pytest
from amqp_helpers import NOW, Bench


@pytest.fixture(autouse=True)
def _wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


@pytest.fixture
def bench() -> Bench:
    return Bench()
