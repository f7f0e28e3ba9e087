"""The command ``fleet-telemetry test``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fleet_telemetry.linting.problem import FileProblem
    from fleet_telemetry.policy_tests.comparing import PolicyTestResult


@click.command
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results to this file, too, as JUnit XML.",
)
def test(folders: tuple[str, ...], junit: Path | None) -> None:
    """Test policies: apply them to manifests, and compare with what is expected.

    Every fleet-telemetry-test.yaml in a FOLDER and below it is one suite. The status is 1 if a
    test fails, if a file is wrong, or if there is nothing to test.
    """
    # The other commands do without it.
    from fleet_telemetry.policy_tests.reporting import as_junit, as_text  # noqa: PLC0415

    results: list[PolicyTestResult] = []
    problems: list[FileProblem] = []
    now = datetime.now(UTC)
    for folder in folders:
        _run_folder(Path(folder), now, results, problems)
    click.echo(as_text(results, problems), nl=False)
    if junit is not None:
        try:
            junit.write_text(as_junit(results, problems), encoding="utf-8")
        except OSError as error:
            click.echo(f"fleet-telemetry: {junit}: {error.strerror}", err=True)
            sys.exit(1)
    failed = any(one.differences for one in results)
    sys.exit(1 if failed or problems or not results else 0)


def _run_folder(
    folder: Path, now: datetime, results: list[PolicyTestResult], problems: list[FileProblem]
) -> None:
    from fleet_telemetry.linting.problem import FileError, FileProblem  # noqa: PLC0415
    from fleet_telemetry.policy_tests.comparing import run_suite  # noqa: PLC0415
    from fleet_telemetry.policy_tests.loading import (  # noqa: PLC0415
        find_suites,
        load_files,
        load_suite,
    )
    from fleet_telemetry.policy_tests.suite import FILE_NAME  # noqa: PLC0415

    try:
        suites = find_suites(folder)
        if not suites:
            what = f"there is no {FILE_NAME} in it"
            problems.append(FileProblem(str(folder), 1, what, "add one, or name another folder"))
        for path in suites:
            try:
                suite = load_suite(path)
                loaded = load_files(suite, path.parent, now)
            except FileError as error:
                problems += error.problems
                continue
            problems += loaded.problems
            own, wrong = run_suite(suite, loaded.given, now)
            results += own
            problems += wrong
    except OSError as error:
        what = error.strerror or str(error)
        problems.append(FileProblem(error.filename or str(folder), 1, what, "name a folder"))
