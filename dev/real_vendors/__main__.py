"""``python -m dev.real_vendors`` gets what ``make test-vendors`` needs."""

from __future__ import annotations

import sys

from dev.real_vendors import sonarqube
from dev.real_vendors.errors import RealVendorError


def main() -> None:
    """Fetch it, or say in one sentence why not."""
    try:
        sonarqube.prepare()
    except RealVendorError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
