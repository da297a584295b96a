"""A collector for prometheus_client. Needs `pip install timerwheel[prometheus]`.

from prometheus_client import REGISTRY
from timerwheel.prometheus import Collector

REGISTRY.register(Collector(reactor))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from timerwheel.observe._metrics import DISTRIBUTIONS, METRICS, Distribution, identity, read
from timerwheel.observe._wheel import require_queue

try:
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector as _Collector
except ImportError as error:
    raise ImportError(
        f"timerwheel.prometheus needs prometheus_client ({error}): "
        "pip install timerwheel[prometheus]"
    ) from None

_PREFIX = "timerwheel_"


class Collector(_Collector):
    """The figures of a reactor's wheel, for a registry of prometheus_client.

    A scrape takes constant time, and may come from any thread. After `timerwheel.restore(reactor)`
    a scrape gets no figures. Raises ValueError if the reactor has no wheel.
    """

    def __init__(self, reactor: Any) -> None:
        require_queue(reactor)
        self._reactor = reactor

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        values = read(self._reactor)
        if values:
            yield InfoMetricFamily(
                "timerwheel", "The wheel of a reactor", value=identity(self._reactor)
            )
            yield from _numbers(values)
            for distribution in DISTRIBUTIONS:
                yield _histogram(distribution, values)


def _numbers(values: dict[str, Any]) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for metric in METRICS:
        if metric.source in values:
            name = _PREFIX + metric.prometheus
            kind = CounterMetricFamily if metric.counter else GaugeMetricFamily
            family = families.setdefault(
                name, kind(name, metric.text, labels=list(metric.attributes))
            )
            family.add_metric(list(metric.attributes.values()), values[metric.source])
    yield from families.values()


def _histogram(distribution: Distribution, values: dict[str, Any]) -> Metric:
    histogram = values[distribution.source]
    buckets = [(str(bound), float(count)) for bound, count in distribution.cumulative(histogram)]
    return HistogramMetricFamily(
        _PREFIX + distribution.prometheus,
        distribution.text,
        buckets=[*buckets, ("+Inf", float(histogram.count))],
        sum_value=histogram.total,
    )
