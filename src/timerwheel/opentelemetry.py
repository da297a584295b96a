"""Instruments of OpenTelemetry's metrics. Needs `pip install timerwheel[opentelemetry]`.

from timerwheel.opentelemetry import instrument

instrument(reactor)     # with the global MeterProvider
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from timerwheel._core import VERSION
from timerwheel.observe._metrics import DISTRIBUTIONS, METRICS, Distribution, Metric, identity, read
from timerwheel.observe._wheel import require_queue

try:
    from opentelemetry.metrics import (
        CallbackOptions,
        Meter,
        MeterProvider,
        Observation,
        get_meter_provider,
    )
except ImportError as error:
    raise ImportError(
        f"timerwheel.opentelemetry needs OpenTelemetry's API ({error}): "
        "pip install timerwheel[opentelemetry]"
    ) from None

_PREFIX = "timerwheel."

_Callback = Callable[[CallbackOptions], Iterable[Observation]]


def instrument(reactor: Any, meter_provider: MeterProvider | None = None) -> None:
    """Register instruments for a reactor's wheel. Each collection reads them in constant time.

    meter_provider defaults to the global one, which you may set later. OpenTelemetry has no
    observable histogram. So a histogram is three counters: `NAME.count`, `NAME.sum`, and
    `NAME.bucket`, which counts the values up to the attribute `le`, as in Prometheus.

    After `timerwheel.restore(reactor)` the instruments report nothing. Raises ValueError if the
    reactor has no wheel.
    """
    require_queue(reactor)
    provider = get_meter_provider() if meter_provider is None else meter_provider
    meter = provider.get_meter("timerwheel", VERSION)
    names: dict[str, list[Metric]] = {}
    for metric in METRICS:
        names.setdefault(metric.opentelemetry, []).append(metric)
    for metrics in names.values():
        _observe(meter, metrics[0], _numbers(reactor, metrics))
    for distribution in DISTRIBUTIONS:
        _observe_histogram(meter, reactor, distribution)
    meter.create_observable_gauge(
        f"{_PREFIX}info", [_info(reactor)], description="The wheel of a reactor: always 1"
    )


def _observe(meter: Meter, metric: Metric, callback: _Callback) -> None:
    create = meter.create_observable_counter if metric.counter else meter.create_observable_gauge
    create(_PREFIX + metric.opentelemetry, [callback], unit=metric.unit, description=metric.text)


def _numbers(reactor: Any, metrics: list[Metric]) -> _Callback:
    def observe(options: CallbackOptions) -> Iterator[Observation]:
        values = read(reactor)
        for metric in metrics:
            if metric.source in values:
                yield Observation(values[metric.source], metric.attributes)

    return observe


def _observe_histogram(meter: Meter, reactor: Any, distribution: Distribution) -> None:
    def observe_count(options: CallbackOptions) -> Iterator[Observation]:
        for histogram in _found(reactor, distribution):
            yield Observation(histogram.count)

    def observe_sum(options: CallbackOptions) -> Iterator[Observation]:
        for histogram in _found(reactor, distribution):
            yield Observation(histogram.total)

    def observe_buckets(options: CallbackOptions) -> Iterator[Observation]:
        for histogram in _found(reactor, distribution):
            for bound, count in distribution.cumulative(histogram):
                yield Observation(count, {"le": bound})

    name, text = _PREFIX + distribution.opentelemetry, distribution.text
    for part, unit, callback in (
        ("count", "1", observe_count),
        ("sum", distribution.unit, observe_sum),
        ("bucket", "1", observe_buckets),
    ):
        meter.create_observable_counter(f"{name}.{part}", [callback], unit, f"{text}: {part}")


def _found(reactor: Any, distribution: Distribution) -> list[Any]:
    values = read(reactor)
    return [values[distribution.source]] if values else []


def _info(reactor: Any) -> _Callback:
    def observe(options: CallbackOptions) -> Iterator[Observation]:
        if read(reactor):
            yield Observation(1, identity(reactor))

    return observe
