"""What the functions that take a reactor do with an event loop, and the other way round."""

from __future__ import annotations

import asyncio
import io
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aio_helpers import queue_of, run_for
from helpers import StockReactor, make_reactor

import timerwheel
from timerwheel import aio
from timerwheel.tasks import Scheduler
from timerwheel.web import TimersPage


@pytest.fixture
def loop() -> Iterator[Any]:
    """An event loop with the wheel and one timer pending."""
    loop = aio.new_event_loop()
    loop.call_later(1000, print)
    yield loop
    loop.close()


REFUSED: dict[str, Callable[[Any], object]] = {
    "accelerate": timerwheel.accelerate,
    "restore": timerwheel.restore,
    "record": lambda loop: timerwheel.record(loop, io.BytesIO()),
    "watch": timerwheel.watch,
    "Scheduler": Scheduler,
    "TimersPage": TimersPage,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_that_needs_a_reactor_says_so_and_changes_nothing(loop: Any, name: str) -> None:
    with pytest.raises(TypeError, match="reactor") as raised:
        REFUSED[name](loop)
    assert repr(loop) in str(raised.value)
    assert timerwheel.status(loop).accelerated
    assert timerwheel.stats(loop).pending == 1


@pytest.mark.parametrize("name", ["accelerate", "restore"])
def test_the_error_names_the_function_for_event_loops(loop: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"timerwheel\.aio\.{name}\(\)"):
        getattr(timerwheel, name)(loop)


def test_the_functions_for_event_loops_refuse_reactors(reactor: Any) -> None:
    call = reactor.callLater(5, int)
    for function in (aio.accelerate, aio.restore):
        with pytest.raises(TypeError, match="needs an event loop"):
            function(reactor)
    assert timerwheel.status(reactor).accelerated
    assert reactor.getDelayedCalls() == [call]


def test_restore_of_what_has_no_wheel_does_nothing(loop: Any) -> None:
    stock = asyncio.new_event_loop()
    aio.restore(stock)
    stock.close()
    aio.restore(StockReactor())


def test_what_is_pending_in_a_loop_is_told(loop: Any) -> None:
    (group,) = timerwheel.pending(loop)
    assert (group.count, str(group.name)) == (1, "print")
    text = io.StringIO()
    timerwheel.dump(loop, text)
    assert "timerwheel.aio._loop.EventLoop" in text.getvalue()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there is no such signal here")
def test_a_signal_has_a_loop_dumped(loop: Any, tmp_path: Any) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with open(tmp_path / "dump", "w+") as file:
            timerwheel.dump_on_signal(loop, signal.SIGUSR1, file)
            signal.raise_signal(signal.SIGUSR1)
            file.seek(0)
            assert "EventLoop" in file.read()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_collectors_take_loops(loop: Any) -> None:
    collector = pytest.importorskip("timerwheel.prometheus").Collector(loop)
    samples = [sample for metric in collector.collect() for sample in metric.samples]
    assert ("timerwheel_pending_calls", 1) in [(sample.name, sample.value) for sample in samples]


@pytest.mark.parametrize("make", [asyncio.new_event_loop, StockReactor])
@pytest.mark.parametrize("function", [timerwheel.stats, timerwheel.pending, timerwheel.dump])
def test_without_a_wheel_the_error_names_both_ways(make: Any, function: Any) -> None:
    owner = make()
    with pytest.raises(ValueError, match=r"accelerate\(reactor\), or timerwheel\.aio\.accelerate"):
        function(owner)
    if isinstance(owner, asyncio.AbstractEventLoop):
        owner.close()


def test_a_reactor_with_the_wheel_is_no_event_loop(clock: Any) -> None:
    """Also if it has a method by the name that event loops have."""
    reactor = make_reactor(clock, type("Reactor", (StockReactor,), {"call_at": lambda self: None}))
    timerwheel.watch(reactor).stop()
    timerwheel.restore(reactor)
    assert not timerwheel.status(reactor).accelerated


def test_figures_count_what_a_loop_does(ours: Any) -> None:
    ours.set_exception_handler(lambda loop, context: None)
    ours.call_later(10, print).cancel()
    ours.call_later(0.001, int, "no number")
    ours.call_later(20, print)
    run_for(ours, 0.01)
    stats = timerwheel.stats(ours)
    assert (stats.scheduled, stats.fired, stats.failed, stats.cancelled) == (4, 2, 1, 1)
    assert stats.pending == 1
    assert stats.lateness.count == 2
    queue_of(ours).check_invariants()
