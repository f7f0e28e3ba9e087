"""The dashboards' queries, as Grafana sends them."""

from __future__ import annotations

import re
from typing import Any

_ALL = {"cluster": ".*", "job": ".+", "instance": ".+", "namespace": ".+", "product": ".+"}
_ALL |= {"workload": ".+", "__rate_interval": "10s", "__range": "1m"}


def filled_in(query: str, **chosen: str) -> str:
    """A query with its variables filled in: with All for each that is not chosen."""
    known = _ALL | chosen
    return re.sub(r"\$(\w+)", lambda found: known[found[1]], query)


def expressions_of(board: dict[str, Any], title: str) -> list[str]:
    """The expressions of a panel of a dashboard's JSON, variables and all."""
    (panel,) = (panel for panel in board["panels"] if panel["title"] == title)
    return [target["expr"] for target in panel["targets"]]
