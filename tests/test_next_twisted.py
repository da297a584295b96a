"""A Twisted that lacks a private name which the wheel uses: the reactor keeps Twisted's timers."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import FakeClock, StockReactor, require, run_python
from twisted.internet import base, default

from timerwheel import DelayedCall, accelerate, install
from timerwheel._internals import missing_in


@pytest.fixture
def stock(clock: FakeClock) -> Any:
    reactor: Any = StockReactor()
    reactor.seconds = clock
    return reactor


def test_this_twisted_has_all_that_is_used(stock: Any) -> None:
    assert missing_in(stock) == []


ALL_OF_IT = """
    import json, sys
    from timerwheel._internals import missing_in
    from twisted.application.reactors import installReactor
    if sys.argv[1] == "threadedselect":
        from twisted.internet import _threadedselect
        _threadedselect.install()
    else:
        installReactor(sys.argv[1])
    from twisted.internet import reactor
    print(json.dumps(missing_in(reactor)))
"""


@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio", "gi", "threadedselect"])
def test_each_reactor_of_this_twisted_has_all_that_is_used(name: str) -> None:
    require(name)
    assert run_python(ALL_OF_IT, name) == []


@pytest.mark.parametrize(
    "name", ["callLater", "getDelayedCalls", "runUntilCurrent", "timeout", "_cancelCallLater"]
)
def test_a_function_that_is_gone(name: str, stock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or that has moved to another class, where ours would not take its place."""

    class Moved(StockReactor):
        pass

    setattr(Moved, name, vars(base.ReactorBase)[name])
    if name != "_cancelCallLater":
        stock.__class__ = Moved
    before = dict(vars(stock))
    monkeypatch.delattr(base.ReactorBase, name)
    with pytest.warns(RuntimeWarning, match=rf"keeps Twisted's own timers: .* lacks .*\.{name}, "):
        accelerate(stock)
    assert vars(stock) == before


def test_what_a_reactor_has_no_more_is_named_and_its_timers_go_on(
    stock: Any, clock: FakeClock
) -> None:
    fired: list[str] = []
    del stock._justStopped
    with pytest.warns(RuntimeWarning, match=r"lacks StockReactor\._justStopped, ") as told:
        accelerate(stock)
    assert told[0].filename == __file__
    call = stock.callLater(1, fired.append, "stock")
    assert type(call) is base.DelayedCall
    stock._justStopped = False
    clock.advance(1)
    stock.runUntilCurrent()
    assert fired == ["stock"]
    accelerate(stock)
    assert isinstance(stock.callLater(1, int), DelayedCall)


def test_where_warnings_are_errors_nothing_has_changed(stock: Any) -> None:
    del stock._cancellations
    before = dict(vars(stock))
    with pytest.raises(RuntimeWarning, match="_cancellations"):
        accelerate(stock)
    assert vars(stock) == before


class SlottedCall:
    """A call without the attributes of today's."""

    def __init__(self, *args: Any) -> None:
        pass


class RenamedCall(base.DelayedCall):
    def __init__(self, *, deadline: float) -> None:
        pass


@pytest.mark.parametrize(
    ("call_class", "missing"),
    [(SlottedCall, r"DelayedCall\.activate_delay"), (RenamedCall, r"DelayedCall\(time, func")],
)
def test_another_delayed_call(
    call_class: type, missing: str, stock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "DelayedCall", call_class)
    with pytest.warns(RuntimeWarning, match=missing):
        accelerate(stock)


ON_ANOTHER_TWISTED = """
    import json, sys, warnings
    from twisted.internet import base
    base.PluggableResolverMixin.timeout = base.ReactorBase.timeout
    del base.ReactorBase.timeout
    import timerwheel
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        timerwheel.install(sys.argv[1], clock="steady")
    from twisted.internet import reactor
    fired = []
    reactor.callLater(0.001, lambda: (fired.append(True), reactor.stop()))
    reactor.run()
    told = [str(warning.message) for warning in told if warning.category is RuntimeWarning]
    print(json.dumps([fired, len(told)]))
"""


@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio"])
def test_install_falls_back_to_twisteds_timers(name: str) -> None:
    assert run_python(ON_ANOTHER_TWISTED, name) == [[True], 1]


def test_a_default_reactor_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def install_new() -> None:
        """Twisted's, some day."""

    install_new.__module__ = "twisted.internet.newreactor"
    monkeypatch.setattr(default, "install", install_new)
    with pytest.raises(ImportError, match=r"newreactor.*accelerate\(reactor\)"):
        install()
