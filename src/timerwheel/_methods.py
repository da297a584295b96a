"""Put the wheel's methods into Twisted's classes, in place of Twisted's functions.

So a program's own methods come first without further code: a subclass, an instance or a mock on
either hides our method as it would hide Twisted's function. If a reactor has no wheel, our method
calls Twisted's function.
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

    They are never freed: CPython's cache may still lead to the method of a class that is garbage,
    after its bases have changed.
    """

    def __init__(self) -> None:
        self._methods: dict[tuple[type, str], Method] = {}
        self._inherited: set[tuple[type, str]] = set()

    def stand(
        self, base: type, name: str, function: Callable[..., Any], below: type | None
    ) -> None:
        """Put a method of ours into a class, for a function of the class or of a base."""
        key = base, name
        if key not in self._methods:
            self._methods[key] = Method(name, function, below)
            if name not in vars(base):
                self._inherited.add(key)
        setattr(base, name, self._methods[key])

    def take_out(self) -> None:
        """Give the classes their functions back. A program's own methods over ours stay."""
        for (base, name), method in self._methods.items():
            if vars(base).get(name) is not method:
                continue
            if (base, name) in self._inherited:
                delattr(base, name)
            else:
                setattr(base, name, method.__wrapped__)


_twisteds = Methods()


def put_in(reactor_class: type, names: Collection[str]) -> None:
    """Put our methods into Twisted's classes among a reactor's. A program's own methods stay."""
    for base in reactor_class.__mro__:
        if base.__module__ in METHODS_MODULES:
            for name in names:
                function = vars(base).get(name)
                if is_of_its_module(function, base):
                    # If a base has its own callLater(), Twisted's function calls that by name.
                    below = base.__base__ if hasattr(base.__base__, name) else None
                    _twisteds.stand(base, name, function, below)


def take_out() -> None:
    """Give Twisted's classes their functions back. A program's own methods over ours stay."""
    _twisteds.take_out()


def twisteds(reactor_class: type, name: str) -> Any:
    """Twisted's function in whose place a method of ours stands; else what the class has."""
    for base in reactor_class.__mro__:
        if base.__module__ in METHODS_MODULES and name in vars(base):
            function = vars(base)[name]
            return function.__wrapped__ if isinstance(function, Method) else function
    return getattr(reactor_class, name)


def is_of_its_module(function: Any, base: type) -> TypeGuard[FunctionType]:
    """Whether a function was compiled in the module of its class, so it is not a wrapper's."""
    module = sys.modules.get(base.__module__)
    return type(function) is FunctionType and function.__globals__ is getattr(
        module, "__dict__", None
    )
