"""python -m hack.krew FOLDER: write the archives and telemetry.yaml. Nothing is published."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fleet_telemetry import __version__
from hack.krew.archive import ArchiveError, build
from hack.krew.manifest import PLUGIN, RELEASES, archive_name, manifest, render
from hack.krew.platforms import PLATFORMS, PYTHONS, Platform


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and return the exit code."""
    options = _parser().parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    digests: dict[Platform, str] = {}
    for platform in options.platform or PLATFORMS:
        target = options.folder / archive_name(platform)
        try:
            digests[platform] = build(platform, target, options.python or PYTHONS)
        except (ArchiveError, OSError) as error:
            print(f"krew: {platform}: {error}", file=sys.stderr)
            return 1
        print(target)
    target = options.folder / f"{PLUGIN}.yaml"
    target.write_text(render(manifest(__version__, digests, options.releases)))
    print(target)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="krew", description="Build what krew distributes.")
    parser.add_argument("folder", type=Path, help="the folder to write")
    parser.add_argument(
        "--platform",
        type=_platform,
        action="append",
        help=f"only this one: {', '.join(map(str, PLATFORMS))}; may be repeated",
    )
    parser.add_argument(
        "--python", choices=PYTHONS, action="append", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--releases", default=RELEASES, help="where the archives will be (default: %(default)s)"
    )
    return parser


def _platform(text: str) -> Platform:
    for platform in PLATFORMS:
        if str(platform) == text:
            return platform
    raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(map(str, PLATFORMS))}")


if __name__ == "__main__":
    sys.exit(main())
