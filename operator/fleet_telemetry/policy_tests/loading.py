"""Reads the files of a suite."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.result import Problem
from fleet_telemetry.audit.sources import Definitions
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.linting.document import LARGEST_FILE
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.policy_tests.comparing import SuiteInputs, WorkloadKey, key_of
from fleet_telemetry.policy_tests.suite import FILE_NAME, SuiteFile, read_suite
from fleet_telemetry.workloads.workload import Workload

_NAMESPACE = "default"


@dataclass
class Loaded:
    """What the files of a suite hold, and what is wrong with them."""

    given: SuiteInputs
    problems: list[FileProblem] = field(default_factory=list)


def find_suites(folder: Path) -> list[Path]:
    """The suites in a folder and below it. Raises OSError."""
    if not folder.is_dir():
        raise NotADirectoryError(20, "it is no folder", str(folder))
    return sorted(folder.rglob(FILE_NAME))


def load_suite(path: Path) -> SuiteFile:
    """Raises FileError and OSError."""
    with path.open("rb") as file:
        return read_suite(str(path), file.read(LARGEST_FILE + 1))


def load_files(suite: SuiteFile, folder: Path, now: datetime) -> Loaded:
    """What the suite names. Raises FileError if a file is not there."""
    declared = suite.suite
    named = ("policies", declared.policies), ("products", declared.products)
    missing = list(_missing(suite, folder))
    if missing:
        raise FileError(*missing)
    problems: list[FileProblem] = []
    at = declared.now or now
    subjects, definitions = _gather(
        [folder / one for _, files in named for one in files],
        [folder / one for one in declared.resources],
        at,
        problems,
    )
    expected: dict[tuple[str, WorkloadKey], Workload] = {}
    for file in sorted({one.patched for one in declared.results if one.patched}):
        found, _ = _gather([], [folder / file], at, problems)
        expected.update({(file, key): one.workload for key, one in found.items()})
    for row, one in enumerate(declared.results):
        key = one.namespace, one.workload
        if one.patched and (one.patched, key) not in expected:
            what = f"{one.patched} has no {one.workload} in the namespace {one.namespace}"
            problems.append(suite.problem(row, "patched", what, "correct the file"))
    catalogue = _catalogue(definitions, problems)
    return Loaded(SuiteInputs(subjects, definitions.policies, catalogue, expected), problems)


def _missing(suite: SuiteFile, folder: Path) -> Iterator[FileProblem]:
    declared = suite.suite
    for name, files in (
        ("policies", declared.policies),
        ("products", declared.products),
        ("resources", declared.resources),
    ):
        for place, file in enumerate(files):
            if file == "-" or not (folder / file).exists():
                what = f"{name}: there is no {file}"
                yield suite.document.problem((name, place), what, "correct the path")
    for row, one in enumerate(declared.results):
        if one.patched and not (folder / one.patched).is_file():
            yield suite.problem(row, "patched", f"there is no {one.patched}", "correct the path")


def _gather(
    definitions: Iterable[Path],
    resources: Iterable[Path],
    now: datetime,
    problems: list[FileProblem],
) -> tuple[dict[WorkloadKey, Subject], Definitions]:
    named = [str(one) for one in _outermost([*definitions, *resources])]
    gathered = gather_files(named, io.BytesIO(), _NAMESPACE, now)
    subjects: dict[WorkloadKey, Subject] = {}
    for one in gathered.subjects:
        if not isinstance(one, Subject):
            continue
        key = key_of(one.workload)
        if key in subjects:
            first = subjects[key].place
            what = f"{key[1]} in the namespace {key[0]} stands in {first.file}:{first.line}, too"
            problems.append(FileProblem(one.place.file, one.place.line, what, "keep one of them"))
        else:
            subjects[key] = one
    problems += map(_as_problem, gathered.problems)
    return subjects, gathered.definitions


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that another one has in it: policies and resources may be in one
    folder, and nothing is read twice."""
    distinct = {path.resolve(): path for path in paths}
    return [
        path
        for resolved, path in distinct.items()
        if not any(folder in distinct for folder in resolved.parents)
    ]


def _catalogue(definitions: Definitions, problems: list[FileProblem]) -> Catalogue:
    combined = combine(builtin(), (product for _, product in definitions.products))
    for place, product in definitions.products:
        rejection = combined.rejected.get(product.name)
        if rejection is not None:
            what = f"the TelemetryProduct {product.name} is not in effect: {rejection.message}"
            problems.append(FileProblem(place.file, place.line, what, "correct it"))
    return combined.catalogue


def _as_problem(one: Problem) -> FileProblem:
    return FileProblem(one.place.file, one.place.line, one.what, one.advice)
