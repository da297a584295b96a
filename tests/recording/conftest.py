"""What the tests of recordings share: a reactor of either kind."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import FakeClock, StockReactor

from timerwheel import accelerate


@pytest.fixture(params=["stock", "ours"])
def reactor(request: pytest.FixtureRequest, clock: FakeClock) -> Any:
    """A reactor without I/O on the fake clock, without and with the wheel."""
    made: Any = StockReactor()
    made.seconds = clock
    if request.param == "ours":
        accelerate(made)
    return made
