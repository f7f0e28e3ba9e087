"""How the metrics that are computed at the time of a scrape are declared: once, with what it takes
to read their values and to know how many series there will be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

PREFIX = "fleet_telemetry"
_LINES_PER_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Family:
    """A gauge, or a counter, by its name without the prefix."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    series: str
    """How many there are, in words."""
    is_counter: bool = False
    """Its name ends with ``_total`` then."""

    @property
    def full_name(self) -> str:
        """As Prometheus has it."""
        return f"{PREFIX}_{self.name}"

    def gauge(self) -> GaugeMetricFamily:
        """A fresh one, to be filled."""
        return GaugeMetricFamily(self.full_name, self.meaning, labels=self.labels)

    def counter(self) -> CounterMetricFamily:
        """The same of a counter."""
        return CounterMetricFamily(self.full_name, self.meaning, labels=self.labels)

    def text(self, series: Iterable[tuple[tuple[str, ...], float]]) -> Iterator[str]:
        """The same in Prometheus' text format, in pieces, for series by the ten thousand.

        The client library takes ten times as long for it, and all of them in memory. ``series`` are
        the values of the labels, which have to be escaped already, and the series'.
        """
        name, kind = self.full_name, "counter" if self.is_counter else "gauge"
        lines = [f"# HELP {name} {self.meaning}\n# TYPE {name} {kind}\n"]
        line = name + "{" + ",".join(f'{label}="%s"' for label in self.labels) + "} "
        for values, value in series:
            lines.append(f"{line % values}{value}\n")
            if len(lines) == _LINES_PER_CHUNK:
                yield "".join(lines)
                lines.clear()
        yield "".join(lines)


def escape(value: str) -> str:
    """A label's value as the text format has it."""
    if '"' in value or "\\" in value or "\n" in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value
