"""Compares a table with what the operator does."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.linting.document import Document, Path
from fleet_telemetry.linting.problem import FileProblem
from fleet_telemetry.linting.table import ChannelRow, Match, Reject, Table
from fleet_telemetry.linting.trial import TrialContainer, TrialOutcome, run_trial

_ADVICE = "correct the table, or the product"


def check_table(
    document: Document, table: Table, product: Product, catalogue: Catalogue
) -> Iterator[FileProblem]:
    """Every row that says something else than the operator does. ``catalogue`` holds the product
    and all others."""
    for place, match in enumerate(table.matches):
        for what in _check_match(match, product, catalogue):
            yield document.problem(("matches", place), what, _ADVICE)
    for place, rejected in enumerate(table.rejects):
        reject = rejected if isinstance(rejected, Reject) else Reject(image=rejected)
        found = product.match_image(ImageReference.parse(reject.image), reject.container)
        if found is not None:
            what = f"{reject.image} is taken for {product.name}, by the pattern {found.pattern}"
            yield document.problem(("rejects", place), what, _ADVICE)
    for place, row in enumerate(table.channels):
        for path, what in _check_row(row, product, catalogue):
            yield document.problem(("channels", place, *path), what, _ADVICE)


def _check_match(match: Match, product: Product, catalogue: Catalogue) -> Iterator[str]:
    found = catalogue.match_image(match.image, match.container)
    if found is None:
        yield f"{match.image} is not recognised in a container {match.container}"
        return
    if found.product.name != product.name:
        yield f"{match.image} is taken for {found.product.name}"
        return
    tag = found.product.read_tag(found.reference, found.image)
    version = tag.version.text if tag.version else ""
    if version != match.version:
        why = f" ({tag.fault})" if tag.fault else ""
        yield f"{match.image} is read as version {version!r}{why}, not {match.version!r}"
    for name, got, wanted in (
        ("edition", found.image.edition, match.edition),
        ("component", found.image.component, match.component),
    ):
        if got != wanted:
            yield f"{match.image} has the {name} {got}, not {wanted}"


def _check_row(
    row: ChannelRow, product: Product, catalogue: Catalogue
) -> Iterator[tuple[Path, str]]:
    for place, image in enumerate(row.images):
        found = catalogue.match_image(image, row.container)
        if found is None or found.product.name != product.name:
            other = f"taken for {found.product.name}" if found else "not recognised"
            yield ("images", place), f"{image} is {other}"
            continue
        given = TrialContainer(
            image,
            row.container,
            row.command,
            row.args,
            tuple(row.env.items()),
            row.kind,
            tuple(row.fields.items()),
        )
        off = run_trial(given, catalogue, product.name, row.channel, Submission.DISABLED)
        on = run_trial(given, catalogue, product.name, row.channel, Submission.ENABLED)
        for field, outcome, wanted in (
            ("disabled", off, row.disabled),
            ("enabled", on, row.enabled),
        ):
            if sorted(outcome.changes) != sorted(wanted):
                what = f"{image}: {_written(outcome.changes)} is set, not {_written(wanted)}"
                yield (field,), f"{field}: {what}"
        yield from _check_state(image, row, off)


def _check_state(image: str, row: ChannelRow, outcome: TrialOutcome) -> Iterator[tuple[Path, str]]:
    verdict = outcome.verdict
    if verdict is None or verdict.state is None:
        yield (), f"{image}: it has no channel {row.channel}"
    elif verdict.state is not row.state:
        why = f"({verdict.reason}: {verdict.message})"
        yield ("state",), f"{image}: the state is {verdict.state} {why}, not {row.state}"
    elif row.reason is not None and verdict.reason is not row.reason:
        yield ("reason",), f"{image}: the reason is {verdict.reason}, not {row.reason}"


def _written(entries: tuple[str, ...]) -> str:
    return f"[{', '.join(entries)}]" if entries else "nothing"
