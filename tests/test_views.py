"""Prometheus, OpenTelemetry, the page and `top` show what the program itself has counted."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from helpers import FakeClock
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry
from twisted.internet.base import ReactorBase

import timerwheel
from timerwheel.commands.top.history import History
from timerwheel.opentelemetry import instrument
from timerwheel.prometheus import Collector
from timerwheel.web.snapshot import snapshot


class Program:
    """Does something with timers at random, and counts what it does."""

    def __init__(self, reactor: Any, clock: FakeClock, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.late: list[float] = []
        self._reactor = reactor
        self._clock = clock
        self._draw = random.Random(seed)
        self._pending: dict[int, Any] = {}

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._draw.choice((self._schedule, self._schedule, self._cancel, self._move))()
            if self._draw.random() < 0.1:
                self._clock.advance(self._draw.choice((0.25, 1, 8)))
                self.counts["passes"] += 1
                made = self.counts["fired"]
                self._reactor.runUntilCurrent()
                self.counts["idle_passes"] += self.counts["fired"] == made
        self.counts["pending"] = len(self._pending)

    def _schedule(self) -> None:
        number = self.counts["scheduled"]
        self.counts["scheduled"] += 1
        delay = self._draw.choice((0.5, 2, 30))
        self._pending[number] = self._reactor.callLater(delay, self._made, number)

    def _made(self, number: int) -> None:
        self.counts["fired"] += 1
        self.late.append(self._clock.now - self._pending.pop(number).getTime())
        if number % 10 == 0:
            self.counts["failed"] += 1
            raise ValueError("as it should")

    def _cancel(self) -> None:
        if self._pending:
            number = self._draw.choice(list(self._pending))
            self._pending.pop(number).cancel()
            self.counts["cancelled"] += 1

    def _move(self) -> None:
        if self._pending:
            call = self._pending[self._draw.choice(list(self._pending))]
            before = call.getTime()
            call.reset(self._draw.choice((0.5, 2, 30)))
            later = call.getTime() >= before
            self.counts["moved_later" if later else "moved_sooner"] += 1


COUNTED = (
    "pending",
    "scheduled",
    "fired",
    "failed",
    "cancelled",
    "moved_later",
    "moved_sooner",
    "passes",
    "idle_passes",
)


@pytest.fixture(params=range(3))
def program(reactor: Any, clock: FakeClock, request: pytest.FixtureRequest) -> Program:
    running = Program(reactor, clock, request.param)
    running.run(3000)
    assert min(running.counts[name] for name in COUNTED) > 0
    return running


def test_prometheus(program: Program, reactor: ReactorBase) -> None:
    registry = CollectorRegistry()
    registry.register(Collector(reactor))

    def value(name: str, **labels: str) -> Any:
        return registry.get_sample_value(f"timerwheel_{name}", labels)

    found = {
        "pending": value("pending_calls"),
        "moved_later": value("moved_calls_total", direction="later"),
        "moved_sooner": value("moved_calls_total", direction="sooner"),
        "passes": value("passes_total"),
        "idle_passes": value("idle_passes_total"),
    }
    for name in ("scheduled", "fired", "failed", "cancelled"):
        found[name] = value(f"{name}_calls_total")
    assert found == {name: program.counts[name] for name in COUNTED}
    for bound in ("0.25", "1.0", "8.0"):
        below = sum(late < float(bound) for late in program.late)
        assert value("lateness_seconds_bucket", le=bound) == below
    assert value("lateness_seconds_sum") == pytest.approx(sum(program.late))


def test_opentelemetry(program: Program, reactor: ReactorBase) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrument(reactor, provider)
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data is not None
    points = {
        (metric.name.removeprefix("timerwheel."), *dict(point.attributes or {}).values()): point
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    keys = {
        "moved_later": ("calls.moved", "later"),
        "moved_sooner": ("calls.moved", "sooner"),
        "passes": ("passes",),
        "idle_passes": ("passes.idle",),
    }
    for name in COUNTED:
        point: Any = points[keys.get(name, (f"calls.{name}",))]
        assert point.value == program.counts[name], name


def test_page_and_top(program: Program, reactor: ReactorBase) -> None:
    history = History()
    before = program.counts.copy()
    first = json.loads(json.dumps(snapshot(reactor, None, 0.0)))
    history.add(first)
    assert {name: first["stats"][name] for name in COUNTED} == {
        name: program.counts[name] for name in COUNTED
    }
    late_before = len(program.late)
    program.run(1000)
    second = json.loads(json.dumps(snapshot(reactor, None, 0.0)))
    second["stats"]["elapsed"] = first["stats"]["elapsed"] + 10
    history.add(second)
    made, passes = (program.counts[name] - before[name] for name in ("fired", "passes"))
    assert history.last("made") == pytest.approx(made / 10)
    assert history.last("passes") == pytest.approx(passes / 10)
    late = sorted(program.late[late_before:])
    median = history.last("median")
    assert median is not None
    true = late[(len(late) + 1) // 2 - 1]
    assert true <= median <= true * (1 + 1 / 16)
    assert timerwheel.stats(reactor).fired == program.counts["fired"]
