"""A table for spreadsheets, with what is left out."""

from __future__ import annotations

import csv
import io

from fleet_telemetry.audit.hosts.formats.format import BOTH
from fleet_telemetry.audit.hosts.listing import HostList, ListedHost
from fleet_telemetry.audit.spreadsheet import as_text
from fleet_telemetry.objects.text import printable

_LONGEST = 1000


class CsvTable:
    """One line for each host and port."""

    name = "csv"
    actions = BOTH

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("action", "host", "port", "products", "sent_by", "also_serves"))
        for action, hosts in ((listed.action.value, listed.hosts), ("left out", listed.left_out)):
            writer.writerows(_row(action, one) for one in hosts)
        return text.getvalue()


def _row(action: str, one: ListedHost) -> tuple[str, ...]:
    products = "; ".join(f"{use.product} {use.channel}" for use in one.uses)
    sender = "browser" if one.sent_by_browser else "pod"
    also = "; ".join(one.also_serves)
    return tuple(map(_cell, (action, one.host, str(one.port), products, sender, also)))


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return as_text(printable(text, _LONGEST))
