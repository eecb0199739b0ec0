"""Gathers samples under the names of the catalogue and turns them into metric families, new ones for every scrape."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from controlplane.reporting.catalogue import CATALOGUE, PREFIX, Family
from controlplane.reporting.run_tally import BOUNDS_SECONDS, RunTally

_FAMILIES = {family.name: family for family in CATALOGUE}
_BOUNDS = [*map(floatToGoString, BOUNDS_SECONDS), "+Inf"]


class Samples:
    """One scrape's samples; a name that is not in the catalogue is a KeyError."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[tuple[str, ...], float]]] = {name: [] for name in _FAMILIES}
        self._tallies: dict[str, list[tuple[tuple[str, ...], RunTally]]] = {}

    def put(self, name: str, value: float | None, *labels: str) -> None:
        """Add one sample; None (unknown) adds nothing."""
        if value is not None:
            self._rows[name].append((labels, value))

    def put_tally(self, name: str, value: RunTally, *labels: str) -> None:
        """Add the durations of one verb as a histogram."""
        self._tallies.setdefault(_FAMILIES[name].name, []).append((labels, value))

    def families(self) -> Iterator[Metric]:
        """The families that have samples, in the catalogue's order."""
        for family in CATALOGUE:
            if family.kind == "histogram":
                if family.name in self._tallies:
                    yield _histogram(family, self._tallies[family.name])
            elif rows := self._rows[family.name]:
                metric = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(
                    PREFIX + family.name, family.text, labels=family.labels
                )
                for labels, value in rows:
                    metric.add_metric(labels, value)
                yield metric


def _histogram(family: Family, tallies: list[tuple[tuple[str, ...], RunTally]]) -> Metric:
    metric = HistogramMetricFamily(PREFIX + family.name, family.text, labels=family.labels)
    for labels, value in tallies:
        running, buckets = 0, []
        for bound, count in zip(_BOUNDS, value.in_bounds, strict=True):
            running += count
            buckets.append((bound, float(running)))
        metric.add_metric(labels, buckets, sum_value=value.seconds)
    return metric
