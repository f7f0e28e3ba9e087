"""python -m dev.audit_picture: draw docs/audit-page.png, the page of an audit of examples/audit."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from dev.browser import address_of, find_chromium, new_page
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.html_format import HtmlFormat
from fleet_telemetry.audit.sources import Definitions

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "audit-page.png"
MANIFESTS = Path("examples/audit")
_SIZE = (1000, 1100)
_MOST_BYTES = 200_000
_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""Of the audit, so that the same page gives the same picture."""


def page() -> str:
    """The page. It names files relative to the repository, which has to be the current folder."""
    gathered = gather_files([str(MANIFESTS)], io.BytesIO(), "default", _TIME)
    result = audit([gathered], _TIME, Definitions())
    return HtmlFormat().render(result, Screen())


async def draw(chromium: str, address: str) -> bytes:
    """A PNG of the first screen of a page."""
    async with new_page(chromium) as tab:
        await tab.resize(*_SIZE)
        await tab.open(address)
        return await tab.picture()


def main() -> int:
    """Run the command line."""
    chromium = find_chromium()
    if chromium is None:
        print("No Chromium was found. Install Debian's chromium.", file=sys.stderr)
        return 1
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "audit.html")
        file.write_text(page(), encoding="utf-8")
        picture = asyncio.run(draw(chromium, address_of(file)))
    if len(picture) > _MOST_BYTES:
        print(f"The picture has {len(picture)} bytes; draw less of the page.", file=sys.stderr)
        return 1
    FILE.write_bytes(picture)
    print(FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
