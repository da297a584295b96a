"""Puts our classes where Twisted's tests find Twisted's.

Twisted's `ReactorBuilder` makes a class of tests for each reactor of a list of
dotted names, and other tests name the reactors themselves. If the names in
Twisted's own modules are ours before a test module is imported, all of these get
ours, and the names of tests and the reasons of skips stay. Base classes, and
`DelayedCall`, on which Twisted itself goes on building, are replaced in the test
modules alone.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

# What is put into Twisted's own modules, and the module in which ours has the same name.
IN_TWISTED = {
    "twisted.internet._threadedselect.ThreadedSelectReactor": "timerwheel.reactors._threadedselect",
    "twisted.internet.asyncioreactor.AsyncioSelectorReactor": "timerwheel.reactors.asyncioreactor",
    "twisted.internet.cfreactor.CFReactor": "timerwheel.reactors.cfreactor",
    "twisted.internet.epollreactor.EPollReactor": "timerwheel.reactors.epollreactor",
    "twisted.internet.gireactor.GIReactor": "timerwheel.reactors.gireactor",
    "twisted.internet.gireactor.PortableGIReactor": "timerwheel.reactors.gireactor",
    "twisted.internet.kqreactor.KQueueReactor": "timerwheel.reactors.kqreactor",
    "twisted.internet.pollreactor.PollReactor": "timerwheel.reactors.pollreactor",
    "twisted.internet.selectreactor.SelectReactor": "timerwheel.reactors.selectreactor",
}


def wheeled(stock: Any) -> Any:
    """A subclass of a base class of reactors whose instances get the wheel when they are made."""
    from timerwheel import accelerate

    def __init__(self: Any, *args: Any, **kw: Any) -> None:  # noqa: N807
        stock.__init__(self, *args, **kw)
        accelerate(self)

    return type(stock.__name__, (stock,), {"__init__": __init__, "__module__": "timerwheel"})


def patchable_call(stock: Any) -> Any:
    """Our DelayedCall, with the attribute `debug` that tests set: ours heeds the stock class's."""
    import timerwheel

    class StandIn:
        def __call__(self, *args: Any, **kw: Any) -> timerwheel.DelayedCall:
            return timerwheel.DelayedCall(*args, **kw)

        @property
        def debug(self) -> Any:
            return stock.debug

        @debug.setter
        def debug(self, debug: Any) -> None:
            stock.debug = debug

    return StandIn()


# What is put into modules of tests once they are imported: (module, name, what makes ours).
IN_TESTS: tuple[tuple[str, str, Callable[[type], Any]], ...] = (
    ("twisted.internet.test.test_base", "DelayedCall", patchable_call),
    ("twisted.internet.test.test_base", "ReactorBase", wheeled),
    ("twisted.internet.test.test_posixbase", "PosixReactorBase", wheeled),
    ("twisted.internet.test.test_resolver", "ReactorBase", wheeled),
    ("twisted.test.test_twistd", "ReactorBase", wheeled),
    ("twisted.trial._dist.test.test_disttrial", "ReactorBase", wheeled),
    ("twisted.trial.test.test_util", "DelayedCall", patchable_call),
)


def prepare(is_ours: bool) -> dict[str, str]:
    """Import what has a substitute and, if is_ours, put the substitute there.

    Returns the reactors that the builder's tests are meant for but that cannot be
    imported here, and why. A reactor that only ours cannot be raises.
    """
    unavailable = {}
    for dotted_name, our_module in IN_TWISTED.items():
        module_name, _, name = dotted_name.rpartition(".")
        try:
            module = import_module(module_name)
        except Exception as error:
            unavailable[dotted_name] = str(error)
            continue
        if is_ours:
            setattr(module, name, getattr(import_module(our_module), name))
    for module_name, name, make in IN_TESTS:
        try:
            module = import_module(module_name)
        except ImportError:
            continue  # the loader meets the same error, and reports it
        if is_ours:
            _replace_class(module, name, make)
    return {name: why for name, why in unavailable.items() if name in _wanted()}


def _replace_class(module: ModuleType, name: str, make: Callable[[type], Any]) -> None:
    """Replace a class in a module, as the base of the module's classes too."""
    stock = getattr(module, name)
    ours = make(stock)
    setattr(module, name, ours)
    for value in vars(module).values():
        if not isinstance(value, type) or value.__module__ != module.__name__:
            continue
        if stock in value.__bases__:
            value.__bases__ = tuple(ours if base is stock else base for base in value.__bases__)


def _wanted() -> list[str]:
    """The dotted names of the reactors that the builder makes tests for on this platform."""
    from twisted.internet.test.reactormixins import ReactorBuilder

    return list(ReactorBuilder._reactors)


def watch_builder(reactor_made: Callable[[bool], None]) -> None:
    """Have reactor_made told of each reactor that a builder's test makes: whether it is ours."""
    from twisted.internet.test.reactormixins import ReactorBuilder

    build = ReactorBuilder.buildReactor

    def buildReactor(self: Any) -> Any:
        reactor = build(self)
        reactor_made(any(defined_by_us(base) for base in type(reactor).__mro__))
        return reactor

    ReactorBuilder.buildReactor = buildReactor


def defined_by_us(reactor_class: type) -> bool:
    """Whether a class is defined in our package."""
    return reactor_class.__module__.partition(".")[0] == "timerwheel"
