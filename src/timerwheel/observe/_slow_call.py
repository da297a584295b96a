"""The report of a slow timed call."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from reprlib import Repr
from typing import Any

from timerwheel._core import ORIGIN
from timerwheel.observe._functions import FunctionName, describe, describe_call, printable


@dataclass(frozen=True, slots=True)
class SlowCall:
    """A timed call that took longer than the watch's `slow`."""

    function: FunctionName
    """The function."""
    arguments: str
    """The repr of its arguments, cut short."""
    seconds: float
    """The seconds that it took."""
    late: float
    """Seconds from its deadline to the pass that made it, by the reactor's clock."""
    origin: str | None
    """Where it was scheduled; None if the watch does not know."""

    def __str__(self) -> str:
        scheduled = "" if self.origin is None else f"; scheduled at {self.origin}"
        return (
            f"{self.function} took {self.seconds:.3f} s, begun {self.late:.3f} s late, "
            f"with {self.arguments}{scheduled}"
        )


class _ShortRepr(Repr):
    """Cuts bytes short as it does strings, before the repr. Never raises the error of a repr."""

    def repr1(self, x: Any, level: int) -> str:
        try:
            return super().repr1(x, level)
        except Exception:  # for example, an int with more digits than Python writes
            return f"<{describe(type(x))} whose repr failed>"

    def repr_bytes(self, x: Any, level: int) -> str:
        return self.repr_str(x, level)


_short = _ShortRepr()
_short.maxstring = _short.maxother = 60
_MOST_ARGUMENTS = 8


def slow_call_of(call: Any, seconds: float, late: float) -> SlowCall:
    """The SlowCall of a call. Runs the reprs of its arguments."""
    origin = getattr(call, ORIGIN, None)
    return SlowCall(
        function=describe_call(call),
        arguments=_arguments(getattr(call, "args", ()), getattr(call, "kw", {})),
        seconds=seconds,
        late=late,
        origin=None if origin is None else printable(str(origin)),
    )


def _arguments(args: Any, kw: Any) -> str:
    """The first arguments of a call as source text, each cut short."""
    texts = chain(
        (_short.repr(value) for value in args),
        (f"{name}={_short.repr(kw[name])}" for name in kw),
    )
    shown = list(islice(texts, _MOST_ARGUMENTS))
    return f"({', '.join(shown)}{', ...' if len(args) + len(kw) > _MOST_ARGUMENTS else ''})"
