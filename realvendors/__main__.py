"""``python -m realvendors`` gets what ``make test-vendors`` needs."""

from __future__ import annotations

import sys

from realvendors import sonarqube
from realvendors.errors import RealVendorError


def main() -> None:
    """Fetch it, or say in one sentence why not."""
    try:
        sonarqube.prepare()
    except RealVendorError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
