"""Put the wheel into a reactor, and take it out.

The methods that are done in C are bound to a `CallQueue` and stand in the
reactor's instance dict, so that its class stays what it was. They stand there
only while the class has Twisted's own: what the program puts on a subclass, on
the class or on the instance, before or after, wins.
"""

from __future__ import annotations

import atexit
import sys
import weakref
from collections.abc import Callable, Iterable
from heapq import heapify
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from timerwheel._core import CallQueue, DelayedCall

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase

# Where a reactor keeps its Acceleration, in its instance dict.
KEY = "_timerwheel"

# What a stock reactor keeps its calls in.
_HEAP = ("_pendingTimedCalls", "_newTimedCalls", "_cancellations")


def accelerate(reactor: Any) -> None:
    """Put the wheel into a reactor, which may be running.

    Pending calls move over in their order, and the handles that the program
    holds stay valid. Does nothing if the wheel is in already. Raises TypeError
    if reactor is not built on Twisted's ReactorBase.
    """
    from twisted.internet.base import ReactorBase

    if not isinstance(reactor, ReactorBase):
        raise TypeError(
            f"accelerate() needs a reactor built on Twisted's ReactorBase, not {reactor!r}"
        )
    if KEY not in vars(reactor):
        Acceleration(reactor).take_over()


def restore(reactor: Any) -> None:
    """Take the wheel out of a reactor, which may be running, and give it back Twisted's heap.

    Pending calls move back, and the handles that the program holds stay valid.
    Does nothing if there is no wheel in.
    """
    acceleration = vars(reactor).get(KEY)
    if acceleration is not None:
        acceleration.give_back()


class Acceleration:
    """The wheel in one reactor: the queue, its methods, and what wakes the reactor on time."""

    def __init__(self, reactor: ReactorBase) -> None:
        from timerwheel._report import report
        from timerwheel._wakers import waker_for

        self.reactor = reactor
        self.namespace: dict[str, Any] = vars(reactor)
        self.queue = CallQueue(reactor, report, self._stock_pass, self.claim)
        self.waker = waker_for(reactor)
        self._covered: dict[str, bool] = {}
        self.methods: dict[str, Callable[..., Any]] = {
            **self.queue.methods(),
            **self.waker.methods(),
        }

    def take_over(self) -> None:
        """Move the calls from Twisted's heap to the queue, and put its methods on the reactor."""
        stock = dict(zip(_HEAP, attrgetter(*_HEAP)(self.reactor), strict=True))
        calls = _in_order(stock["_pendingTimedCalls"], stock["_newTimedCalls"])
        leave = Departure(self, calls, stock)
        try:
            self._enter(calls)
        except BaseException:
            leave()
            raise

    def give_back(self) -> None:
        """Undo take_over()."""
        calls = self.queue.calls_in_order()
        heap = list(calls)
        heapify(heap)
        leave = Departure(self, calls, dict(zip(_HEAP, (heap, [], 0), strict=True)))
        leave()
        self.waker.detach()

    def claim(self) -> None:
        """Have our methods stand on the instance where its class has Twisted's own, only there."""
        from twisted.python.runtime import seconds

        reactor_class = type(self.reactor)
        self._covered.clear()
        # (Not items(): where there is no memory for that, Python itself crashes.)
        for name in self.methods:
            if _is_stock(reactor_class.__mro__, name):
                self.namespace.setdefault(name, self.methods[name])
            elif self.namespace.get(name) is self.methods[name]:
                del self.namespace[name]
        self.queue.claimed(reactor_class.seconds is seconds)

    def covers(self, name: str) -> bool:
        """Whether our mixin, in a reactor's classes, stands before Twisted's own method alone."""
        if not self.queue.is_claimed():
            self.claim()
        covered = self._covered.get(name)
        if covered is None:
            covered = self._covered[name] = _is_stock(_below_the_mixin(type(self.reactor)), name)
        return covered

    def _stock_pass(self) -> None:
        from twisted.internet.base import ReactorBase

        ReactorBase.runUntilCurrent(self.reactor)

    def _enter(self, calls: list[Any]) -> None:
        """Take over the calls, and the reactor."""
        from timerwheel._stock import BridgedHeap, NewCalls

        for call in calls:
            self.queue.adopt(call)
        heap = BridgedHeap(self.reactor, self.queue)
        self.namespace.update(
            {
                KEY: self,
                "_pendingTimedCalls": [],
                "_newTimedCalls": NewCalls(self.queue),
                "_insertNewDelayedCalls": heap.refill,
                "_cancellations": 0,
            }
        )
        self.claim()
        installed: object = sys.modules.get("twisted.internet.reactor")
        if installed is self.reactor:
            make_immortal(self.queue)
        self.queue.hook = self.waker.hook
        self.queue.nested_loops = self.waker.nested_loops
        self.waker.attach(self.queue)


class Departure:
    """How a reactor and its calls are left to what it has in stock.

    Making it takes all memory and changes nothing that shows. Calling it needs none,
    and so cannot fail, however far the calls had been taken over.
    """

    def __init__(self, acceleration: Acceleration, calls: list[Any], stock: dict[str, Any]) -> None:
        self._acceleration = acceleration
        self._stock = stock
        reactor = acceleration.reactor
        self._functions = reactor._cancelCallLater, reactor._moveCallLaterSooner
        for call in calls:
            if isinstance(call, DelayedCall):  # which asks them only when it is in no queue
                call.canceller, call.resetter = self._functions
        self._theirs = iter([call for call in calls if not isinstance(call, DelayedCall)])
        self._methods = iter(list(acceleration.methods))

    def __call__(self) -> None:
        methods, namespace = self._acceleration.methods, self._acceleration.namespace
        for call in self._theirs:
            call.canceller, call.resetter = self._functions
        for name in self._methods:
            if namespace.get(name) is methods[name]:
                del namespace[name]
        namespace.pop(KEY, None)
        namespace.pop("_insertNewDelayedCalls", None)
        namespace.update(self._stock)
        self._acceleration.queue.release_all()


# (No lambda below: where there is no memory to make one, Python 3.12 and 3.13 crash.)
_time = attrgetter("time")


def _in_order(pending: list[Any], new: list[Any]) -> list[Any]:
    """The calls of a stock reactor in the order in which it would make them."""
    calls = [call for call in [*pending, *new] if not call.cancelled]
    for call in new:
        if not call.cancelled:
            call.activate_delay()
    return sorted(calls, key=_time)


# The queue whose calls the collector does not walk, if there is one.
_immortal: list[weakref.ref[CallQueue]] = []


def make_immortal(queue: CallQueue) -> None:
    """Have the collector not walk a queue's calls: its reactor is the installed one, for good."""
    end_immortality()
    _immortal.append(weakref.ref(queue))
    queue.make_immortal()


@atexit.register
def end_immortality() -> None:
    """Have it walk them again: another reactor is installed, or Python ends.

    Then what only pending calls hold is to be destroyed, as it is with a stock reactor: a file may
    have to be flushed.
    """
    while _immortal:
        queue = _immortal.pop()()
        if queue is not None:
            queue.make_mortal()


_MIXIN = "timerwheel.reactors._wheel"

# The modules whose reactors have a callLater(), a timeout(), a way to wait that is replaced here.
_STOCK_MODULES = frozenset(
    {
        _MIXIN,
        "twisted.internet._glibbase",
        "twisted.internet._threadedselect",
        "twisted.internet.asyncioreactor",
        "twisted.internet.base",
        "twisted.internet.cfreactor",
        "twisted.internet.epollreactor",
        "twisted.internet.iocpreactor.reactor",
        "twisted.internet.pollreactor",
        "twisted.internet.win32eventreactor",
    }
)


def _is_stock(classes: Iterable[type], name: str) -> bool:
    """Whether a method is Twisted's own (or ours) in all classes that have it.

    One that is not may be called by those before it, with super() or by name, as
    `AsyncioSelectorReactor.callLater` calls that of the class below. Told by the
    module in which the function was compiled, which a wrapper cannot copy as it
    can copy its name.
    """
    found = False
    for base in classes:
        if name in vars(base):
            module = getattr(vars(base)[name], "__globals__", {})
            if module.get("__name__") not in _STOCK_MODULES:
                return False
            found = True
    return found


def _below_the_mixin(reactor_class: type) -> tuple[type, ...]:
    """The classes that come after our mixin, if it is one of a reactor's."""
    classes = reactor_class.__mro__
    for number, base in enumerate(classes, 1):
        if base.__module__ == _MIXIN:
            return classes[number:]
    return ()
