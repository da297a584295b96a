"""What the tests of timerwheel.aio share: each kind of event loop, with the wheel and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aio_helpers import MAKERS, OURS, made


@pytest.fixture(params=MAKERS)
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each loop in turn, with the wheel and without."""
    yield from made(request.param)


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each loop with the wheel."""
    yield from made(request.param)


@pytest.fixture(params=("asyncio", "ours", "accelerated"))
def asyncios(request: pytest.FixtureRequest) -> Iterator[Any]:
    """asyncio's loop, with the wheel and without."""
    yield from made(request.param)


@pytest.fixture
def late_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer behind the alarm looks only after half a minute."""
    monkeypatch.setattr("timerwheel._wakers._driven.GRACE", 30.0)
