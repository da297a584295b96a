"""What help(), inspect and an editor tell of the names that are done in C."""

from __future__ import annotations

import inspect
import pydoc
from typing import Any

import pytest
from twisted.internet import task
from twisted.internet.base import DelayedCall as StockDelayedCall
from twisted.internet.base import ReactorBase

import timerwheel
from timerwheel import tasks

PUBLIC = [
    timerwheel.Clock,
    timerwheel.DelayedCall,
    timerwheel.PriorityEntry,
    timerwheel.PriorityQueue,
    timerwheel.Timer,
    timerwheel.TimerWheel,
    tasks.Group,
    tasks.Scheduler,
    tasks.Task,
]
REACTOR_METHODS = ["callLater", "getDelayedCalls", "runUntilCurrent", "timeout"]


def parameters(function: Any) -> list[tuple[str, Any]]:
    """What it takes: names and kinds, without self."""
    signature = inspect.signature(function)
    return [(name, one.kind) for name, one in signature.parameters.items() if name != "self"]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_each_public_method_has_a_signature(public: type) -> None:
    methods = [name for name in dir(public) if not name.startswith("_")]
    methods = [name for name in methods if callable(getattr(public, name))]
    for name in methods:
        assert isinstance(inspect.signature(getattr(public, name)), inspect.Signature)
    assert methods or public in (timerwheel.PriorityEntry, tasks.Group)


@pytest.mark.parametrize(
    ("ours", "stock"), [(timerwheel.DelayedCall, StockDelayedCall), (timerwheel.Clock, task.Clock)]
)
def test_methods_take_what_the_stock_class_takes(ours: Any, stock: Any) -> None:
    for name in dir(stock):
        if name.startswith("_") or not inspect.isfunction(getattr(stock, name)):
            continue
        assert parameters(getattr(ours, name)) == parameters(getattr(stock, name)), name


@pytest.mark.parametrize("name", REACTOR_METHODS)
def test_methods_of_a_reactor_take_what_twisteds_take(reactor: Any, name: str) -> None:
    assert parameters(getattr(reactor, name)) == parameters(getattr(ReactorBase, name))


def test_classes_tell_what_they_are_made_from() -> None:
    assert parameters(timerwheel.DelayedCall) == parameters(StockDelayedCall)
    assert str(inspect.signature(timerwheel.TimerWheel)) == "(now)"
    assert str(inspect.signature(timerwheel.PriorityQueue)) == "()"


def test_the_signature_is_no_part_of_the_text() -> None:
    for described in (timerwheel.TimerWheel, timerwheel.DelayedCall, timerwheel.PriorityQueue.pop):
        text = inspect.getdoc(described) or ""
        assert "--" not in text
        assert text.splitlines()[0].endswith(".")
        assert text.splitlines()[0] in pydoc.render_doc(described, renderer=pydoc.plaintext)
