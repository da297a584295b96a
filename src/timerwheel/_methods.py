"""Put the wheel's methods into Twisted's classes, in the place of the functions that stand there.

There is nothing else to see to that what a program defines comes first: a subclass,
an instance, a mock on either hide a method of ours as they would hide Twisted's
function. A reactor that has no wheel gets that function still.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from types import FunctionType
from typing import Any, TypeGuard

from timerwheel._core import Method
from timerwheel._reactor_modules import REACTOR_MODULES

# The methods that are put in, by class and name.
_methods: dict[tuple[type, str], Method] = {}


def put_in(reactor_class: type, names: Collection[str]) -> None:
    """Have Twisted's classes among a reactor's have our methods. What a program put there stays."""
    for base in reactor_class.__mro__:
        if base.__module__ in REACTOR_MODULES:
            for name in names:
                function = vars(base).get(name)
                if _is_twisteds(function, base):
                    # Where a base has a callLater() of its own, Twisted's calls that by name.
                    below = base.__base__ if hasattr(base.__base__, name) else None
                    _methods[base, name] = method = Method(name, function, below)
                    setattr(base, name, method)


def take_out() -> None:
    """Have Twisted's classes have their functions again. What a program put over ours stays."""
    for (base, name), method in _methods.items():
        if vars(base).get(name) is method:
            setattr(base, name, method.__wrapped__)
    _methods.clear()


def _is_twisteds(function: Any, base: type) -> TypeGuard[FunctionType]:
    """Whether a function was compiled in the module of its class, and so is no wrapper's."""
    module = sys.modules.get(base.__module__)
    return type(function) is FunctionType and function.__globals__ is getattr(
        module, "__dict__", None
    )
