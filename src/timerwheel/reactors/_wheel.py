"""The mixin that puts the wheel into a reactor when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Import the needs of accelerate() now: later, the reactor may have taken the last descriptors.
from timerwheel import _internals, _report, _wakers  # noqa: F401
from timerwheel._accelerate import accelerate
from timerwheel.observe import _announce  # noqa: F401

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase as Base
else:
    Base = object


class WheelReactor(Base):
    """Mix in on the left of a Twisted reactor."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        accelerate(self)
