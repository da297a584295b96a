"""What collectors of metrics get: the same figures as stats(), under their own conventions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from helpers import PATIENCE, FakeClock, StockReactor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

import timerwheel
from timerwheel.observe._metrics import DISTRIBUTIONS, METRICS, read
from timerwheel.opentelemetry import instrument
from timerwheel.prometheus import Collector


def fail() -> None:
    raise ValueError("as it should")


@pytest.fixture
def busy(reactor: Any, clock: FakeClock) -> Iterator[Any]:
    """A reactor that has done a bit of everything, and is watched."""
    with timerwheel.watch(reactor, slow=0, on_slow=lambda slow: None):
        for function in (int, str, fail, float):
            reactor.callLater(1, function)
        clock.advance(1.25)
        reactor.runUntilCurrent()
        reactor.runUntilCurrent()
        later = reactor.callLater(10, int)
        later.reset(20)
        later.reset(5)
        reactor.callLater(1, int).cancel()
        yield reactor


def scraped(reactor: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of a scrape, as prometheus_client's own parser reads them."""
    registry = CollectorRegistry()
    registry.register(Collector(reactor))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def collected(reactor: Any) -> tuple[dict[tuple[str, Any], Any], dict[str, str]]:
    """The points that OpenTelemetry collects, and the units."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrument(reactor, provider)
    data = reader.get_metrics_data()
    provider.shutdown()
    metrics = [
        metric
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    points = {
        (metric.name, tuple(sorted((point.attributes or {}).items()))): point.value
        for metric in metrics
        for point in metric.data.data_points
    }
    return points, {metric.name: metric.unit for metric in metrics}


def expected(reactor: Any) -> dict[str, float]:
    """The sources of the metrics that do not change by themselves."""
    figures = timerwheel.stats(reactor)
    watch = timerwheel.status(reactor).watch
    assert watch is not None
    own = {metric.source for metric in METRICS} - {"until_deadline", "slow", "stalls"}
    values = {name: getattr(figures, name) for name in own}
    return values | {"until_deadline": 5.0, "slow": watch.slow_calls, "stalls": 0}


def test_prometheus_has_each_figure(busy: Any) -> None:
    samples, values = scraped(busy), expected(busy)
    for metric in METRICS:
        name = f"timerwheel_{metric.prometheus}{'_total' if metric.counter else ''}"
        labels = tuple(sorted(metric.attributes.items()))
        assert samples.pop((name, labels)) == values[metric.source], name
    for distribution in DISTRIBUTIONS:
        histogram = getattr(timerwheel.stats(busy), distribution.source)
        name = f"timerwheel_{distribution.prometheus}"
        assert samples.pop((f"{name}_sum", ())) == histogram.total
        assert samples.pop((f"{name}_count", ())) == histogram.count
        assert samples.pop((f"{name}_bucket", (("le", "+Inf"),))) == histogram.count
    names = {name for name, _ in samples}
    assert names == {
        "timerwheel_info",
        "timerwheel_lateness_seconds_bucket",
        "timerwheel_calls_per_pass_bucket",
    }


def test_prometheus_has_cumulative_buckets(busy: Any) -> None:
    """Four calls, a quarter of a second late, in one pass."""
    samples = scraped(busy)

    def bucket(name: str, bound: str) -> float:
        return samples[(f"timerwheel_{name}_bucket", (("le", bound),))]

    assert bucket("lateness_seconds", "0.125") == 0
    assert bucket("lateness_seconds", "0.5") == bucket("lateness_seconds", "64.0") == 4
    assert bucket("calls_per_pass", "3.0") == 0
    assert bucket("calls_per_pass", "7.0") == 1


def test_a_pass_of_one_call_is_in_the_bucket_of_one(reactor: Any) -> None:
    reactor.callLater(0, int)
    reactor.runUntilCurrent()
    assert scraped(reactor)[("timerwheel_calls_per_pass_bucket", (("le", "1.0"),))] == 1


def test_prometheus_knows_which_reactor_it_is(busy: Any) -> None:
    ((_, labels),) = [key for key in scraped(busy) if key[0] == "timerwheel_info"]
    assert dict(labels)["version"] == timerwheel.__version__
    assert dict(labels)["reactor"] == "helpers.StockReactor"


def test_a_name_that_utf_8_has_not_does_not_end_the_scrape(reactor: Any) -> None:
    def clock() -> float:
        return 0.0

    clock.__qualname__ = "clock\udcff"
    reactor.seconds = clock
    registry = CollectorRegistry()
    registry.register(Collector(reactor))
    assert b"clock\\\\udcff" in generate_latest(registry)


def test_a_wheel_that_is_taken_out_during_a_scrape_does_not_end_it(reactor: Any) -> None:
    def status_and_out(of: Any) -> Any:
        found = timerwheel.status(of)
        timerwheel.restore(of)
        return found

    with mock.patch("timerwheel.observe._metrics.status", status_and_out):
        read(reactor)
        assert read(reactor) == {}
    timerwheel.accelerate(reactor)


def test_what_is_not_there_is_not_scraped(reactor: Any) -> None:
    names = {name for name, _ in scraped(reactor)}
    assert "timerwheel_pending_calls" in names
    assert "timerwheel_next_deadline_seconds" not in names
    assert "timerwheel_slow_calls_total" not in names


def test_openmetrics_takes_it_too(busy: Any) -> None:
    registry = CollectorRegistry()
    registry.register(Collector(busy))
    assert b"timerwheel_fired_calls_total 4.0" in generate_openmetrics(registry)


# A part of the Prometheus server. Where that is not installed, the tests above have to do.
if shutil.which("promtool") is not None:

    def test_promtool_finds_nothing_to_complain_of(busy: Any) -> None:
        registry = CollectorRegistry()
        registry.register(Collector(busy))
        result = subprocess.run(
            ["promtool", "check", "metrics"],
            input=generate_latest(registry),
            capture_output=True,
            timeout=PATIENCE,
        )
        assert (result.returncode, result.stdout + result.stderr) == (0, b"")


def test_opentelemetry_has_each_figure(busy: Any) -> None:
    points, units = collected(busy)
    values = expected(busy)
    for metric in METRICS:
        name = f"timerwheel.{metric.opentelemetry}"
        assert points[(name, tuple(metric.attributes.items()))] == values[metric.source], name
        assert units[name] == metric.unit
    histogram = timerwheel.stats(busy).lateness
    assert points[("timerwheel.lateness.count", ())] == histogram.count == 4
    assert points[("timerwheel.lateness.sum", ())] == histogram.total == 1.0
    assert points[("timerwheel.lateness.bucket", (("le", 0.125),))] == 0
    assert points[("timerwheel.lateness.bucket", (("le", 0.5),))] == 4
    assert units["timerwheel.lateness.sum"] == "s"


def test_after_restore_nothing_is_found_and_nothing_fails(busy: Any) -> None:
    registry = CollectorRegistry()
    registry.register(Collector(busy))
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrument(busy, provider)
    timerwheel.restore(busy)
    assert generate_latest(registry) == b""
    assert reader.get_metrics_data() is None
    provider.shutdown()
    timerwheel.accelerate(busy)


@pytest.mark.parametrize("use", [Collector, instrument])
def test_a_reactor_without_a_wheel_is_one_clear_error(use: Any) -> None:
    with pytest.raises(ValueError, match=r"has no wheel.*timerwheel\.accelerate\(reactor\)"):
        use(StockReactor())


@pytest.mark.parametrize("module", ["prometheus", "opentelemetry"])
def test_without_its_library_the_import_names_what_to_install(module: str) -> None:
    library = {"prometheus": "prometheus_client", "opentelemetry": "opentelemetry"}[module]
    program = f"import sys; sys.modules[{library!r}] = None; import timerwheel.{module}"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert f"pip install timerwheel[{module}]" in result.stderr.splitlines()[-1]
