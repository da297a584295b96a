"""Put the wheel's methods into Twisted's classes, in the place of the functions that stand there.

There is nothing else to see to that what a program defines comes first: a subclass,
an instance, a mock on either hide a method of ours as they would hide Twisted's
function. A reactor that has no wheel gets that function still.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any, TypeGuard

from timerwheel._core import Method
from timerwheel._reactors import METHODS_MODULES


class Methods:
    """Our methods in some classes, by class and name.

    They are kept for good: of a class that is garbage, CPython's cache may still lead to one when
    its bases have changed already.
    """

    def __init__(self) -> None:
        self._methods: dict[tuple[type, str], Method] = {}
        self._inherited: set[tuple[type, str]] = set()

    def stand(
        self, base: type, name: str, function: Callable[..., Any], below: type | None
    ) -> None:
        """Have a method of ours stand in a class, for a function there or in a base of it."""
        key = base, name
        if key not in self._methods:
            self._methods[key] = Method(name, function, below)
            if name not in vars(base):
                self._inherited.add(key)
        setattr(base, name, self._methods[key])

    def take_out(self) -> None:
        """Have the classes have their functions again. What a program put over ours stays."""
        for (base, name), method in self._methods.items():
            if vars(base).get(name) is not method:
                continue
            if (base, name) in self._inherited:
                delattr(base, name)
            else:
                setattr(base, name, method.__wrapped__)


_twisteds = Methods()


def put_in(reactor_class: type, names: Collection[str]) -> None:
    """Have Twisted's classes among a reactor's have our methods. What a program put there stays."""
    for base in reactor_class.__mro__:
        if base.__module__ in METHODS_MODULES:
            for name in names:
                function = vars(base).get(name)
                if is_of_its_module(function, base):
                    # Where a base has a callLater() of its own, Twisted's calls that by name.
                    below = base.__base__ if hasattr(base.__base__, name) else None
                    _twisteds.stand(base, name, function, below)


def take_out() -> None:
    """Have Twisted's classes have their functions again. What a program put over ours stays."""
    _twisteds.take_out()


def twisteds(reactor_class: type, name: str) -> Any:
    """Twisted's function in whose place a method of ours stands; else what the class has."""
    for base in reactor_class.__mro__:
        if base.__module__ in METHODS_MODULES and name in vars(base):
            function = vars(base)[name]
            return function.__wrapped__ if isinstance(function, Method) else function
    return getattr(reactor_class, name)


def is_of_its_module(function: Any, base: type) -> TypeGuard[FunctionType]:
    """Whether a function was compiled in the module of its class, and so is no wrapper's."""
    module = sys.modules.get(base.__module__)
    return type(function) is FunctionType and function.__globals__ is getattr(
        module, "__dict__", None
    )
