"""Put our methods into the classes of an event loop."""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseEventLoop
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from timerwheel._core import Method
from timerwheel._methods import Methods, is_of_its_module

_IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE

_loops = Methods()


class Place(NamedTuple):
    """A class and a name: the place of one of our methods."""

    base: type
    """The class."""
    function: Callable[..., Any]
    """The loop's own function, without ours."""
    is_free: bool
    """Whether the program has no function of its own in this place."""


def put_in(loop_class: type, names: Collection[str]) -> None:
    """Put our methods into the classes of a loop. A program's own methods stay."""
    for name in names:
        place = find_place(loop_class, name)
        if place is not None and place.is_free:
            # asyncio's call_later() calls call_at(), which the program may have replaced.
            calls_other = issubclass(place.base, BaseEventLoop)
            _loops.stand(place.base, name, place.function, place.base if calls_other else None)


def take_out() -> None:
    """Give the classes their functions back."""
    _loops.take_out()


def find_place(loop_class: type, name: str) -> Place | None:
    """Where a loop's method of this name is defined; None if nowhere.

    This is the last class that has it. A method in a class before it is the program's, or calls
    super(), and hides our method as it hides the loop's. If that class is an extension's, which
    cannot be changed, this is the last changeable class before it.
    """
    classes = _defining(loop_class, name)
    if not classes:
        return None
    definer = classes[-1]
    if definer is BaseEventLoop and name == "_process_events":  # which only raises
        definer = next(base for base in classes if base.__module__.startswith("asyncio."))
    mro = loop_class.__mro__
    for base in reversed(mro[: mro.index(definer) + 1]):
        if not base.__flags__ & _IMMUTABLE:
            return _place_in(base, definer, name)
    return None


def _defining(loop_class: type, name: str) -> list[type]:
    return [
        base
        for base in loop_class.__mro__
        if name in vars(base) and base is not AbstractEventLoop and base is not object
    ]


def _place_in(base: type, definer: type, name: str) -> Place:
    own = vars(base).get(name)
    if isinstance(own, Method):
        return Place(base, own.__wrapped__, True)
    if own is None:
        return Place(base, vars(definer)[name], True)
    return Place(base, own, is_of_its_module(own, base))
