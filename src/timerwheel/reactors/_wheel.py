"""The mixin that puts the wheel into a reactor when it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from timerwheel._accelerate import KEY, accelerate

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase as Base
else:
    Base = object


def _on_the_wheel(name: str) -> Callable[..., Any]:
    """The method of the wheel, for a subclass that calls it through super().

    Without one it would come to Twisted's, which works (`timerwheel._stock`) but is slow.
    """

    def method(self: Any, *args: Any, **kw: Any) -> Any:
        acceleration = vars(self).get(KEY)
        if acceleration is None or not acceleration.covers(name):
            return getattr(super(WheelReactor, self), name)(*args, **kw)
        return acceleration.methods[name](*args, **kw)

    method.__name__ = name
    method.__doc__ = f"ReactorBase.{name}, on the wheel."
    return method


class WheelReactor(Base):
    """Mix in on the left of a Twisted reactor."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        accelerate(self)

    callLater = _on_the_wheel("callLater")
    timeout = _on_the_wheel("timeout")
    runUntilCurrent = _on_the_wheel("runUntilCurrent")
    getDelayedCalls = _on_the_wheel("getDelayedCalls")
