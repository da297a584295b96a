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
from timerwheel._reactor_modules import REACTOR_MODULES

# By class and name. They are kept for good: of a class that is garbage, CPython's cache may still
# lead to one when its bases have changed already.
_methods: dict[tuple[type, str], Method] = {}


def put_in(reactor_class: type, names: Collection[str]) -> None:
    """Have Twisted's classes among a reactor's have our methods. What a program put there stays."""
    for base in reactor_class.__mro__:
        if base.__module__ in REACTOR_MODULES:
            for name in names:
                function = vars(base).get(name)
                if _is_twisteds(function, base):
                    setattr(base, name, _method(base, name, function))


def take_out() -> None:
    """Have Twisted's classes have their functions again. What a program put over ours stays."""
    for (base, name), method in _methods.items():
        if vars(base).get(name) is method:
            setattr(base, name, method.__wrapped__)


def _method(base: type, name: str, function: Callable[..., Any]) -> Method:
    if (base, name) not in _methods:
        # Where a base has a callLater() of its own, Twisted's calls that by name.
        below = base.__base__ if hasattr(base.__base__, name) else None
        _methods[base, name] = Method(name, function, below)
    return _methods[base, name]


def _is_twisteds(function: Any, base: type) -> TypeGuard[FunctionType]:
    """Whether a function was compiled in the module of its class, and so is no wrapper's."""
    module = sys.modules.get(base.__module__)
    return type(function) is FunctionType and function.__globals__ is getattr(
        module, "__dict__", None
    )
