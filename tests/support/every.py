"""One test for every row of a table, instead of one for each: a test costs more than most rows."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import pytest

ONLY = os.environ.get("ONLY", "")
"""Only the rows that have this in their name: ``ONLY=emqx pytest tests/unit/catalogue``."""

_WITHIN = "__every__"
"""Where a decorated test keeps what it was made of."""
_MOST_LISTED = 200
_LONGEST_NAME = 100
_LONGEST_REASON = 300
Tested = TypeVar("Tested", bound=Callable[..., Any])
Row = tuple[str, dict[str, Any]]


def every(
    names: str | tuple[str, ...],
    values: Iterable[Any],
    ids: Callable[[Any], str] | Iterable[str] | None = None,
) -> Callable[[Tested], Tested]:
    """Like ``pytest.mark.parametrize``, but as one test. All rows are tried. The test fails with
    the first failure, and lists the name of each row that failed with what was wrong.

    Also for a class of tests, whose methods become one test each. Of two such decorators every
    combination is a row. Fixtures are the same for all rows: a row must not see what another one
    leaves there."""
    parameters = (
        tuple(part.strip() for part in names.split(",")) if isinstance(names, str) else names
    )
    rows = dict(_rows(parameters, list(values), ids))
    assert rows, "there is nothing to be tested"

    def decorate(tested: Tested) -> Tested:
        if not inspect.isclass(tested):
            return _one_test(tested, parameters, rows)  # type: ignore[return-value]
        for name, method in list(vars(tested).items()):
            if name.startswith("test_"):
                setattr(tested, name, _one_test(method, parameters, rows))
        return tested

    return decorate


def _rows(
    parameters: tuple[str, ...],
    values: list[Any],
    ids: Callable[[Any], str] | Iterable[str] | None,
) -> Iterator[Row]:
    names = [] if ids is None or callable(ids) else list(ids)
    seen: dict[str, int] = {}
    for place, value in enumerate(values):
        name = "" if ids is None or callable(ids) else names[place]
        given = value
        if isinstance(value, type(pytest.param())):
            assert not value.marks, "a row has no marks of its own"
            name = str(value.id or name)
            given = value.values if len(parameters) > 1 else value.values[0]
        parts = tuple(given) if len(parameters) > 1 else (given,)
        named = ids(given) if callable(ids) and not name else name or "-".join(map(_text, parts))
        # Two rows may look the same, and both count.
        seen[named] = seen.get(named, 0) + 1
        unique = named if seen[named] == 1 else f"{named} ({seen[named]})"
        yield unique, dict(zip(parameters, parts, strict=True))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else getattr(value, "__name__", "") or repr(value)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."


def _one_test(
    test: Callable[..., None], parameters: tuple[str, ...], rows: Mapping[str, dict[str, Any]]
) -> Callable[..., None]:
    within = getattr(test, _WITHIN, None)
    if within:
        test, more, inner = within
        parameters = (*more, *parameters)
        rows = {f"{a}-{b}": {**inner[a], **rows[b]} for b in rows for a in inner}
    assert not hasattr(test, "hypothesis"), f"{test.__name__}: hypothesis runs a test many times"
    assert not inspect.iscoroutinefunction(test), f"{test.__name__}: nothing would await it"
    signature = inspect.signature(test)

    @functools.wraps(test)
    def tested(*arguments: Any, **fixtures: Any) -> None:
        chosen = {name: row for name, row in rows.items() if ONLY in name}
        if not chosen:
            pytest.skip(f"no row has {ONLY!r} in its name")
        failed: dict[str, BaseException] = {}
        for name, row in chosen.items():
            try:
                test(*arguments, **fixtures, **row)
            # A row that is skipped would not be seen.
            except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:  # noqa: BLE001  # raised below
                failed[name] = error
        if failed:
            raise _failure(failed, len(chosen))

    left = [one for name, one in signature.parameters.items() if name not in parameters]
    assert len(left) == len(signature.parameters) - len(parameters), f"{parameters} are not taken"
    setattr(tested, _WITHIN, (test, parameters, rows))
    tested.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    return tested


def _failure(failed: Mapping[str, BaseException], count: int) -> BaseException:
    """The first failure, with the list of all."""
    lines = [f"{len(failed)} of {count} rows failed; this is the first one:"]
    for name, error in list(failed.items())[:_MOST_LISTED]:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        lines.append(f"  {name}: {reason[:_LONGEST_REASON]}")
    if len(failed) > _MOST_LISTED:
        lines.append(f"  and {len(failed) - _MOST_LISTED} more")
    first = next(iter(failed.values()))
    if isinstance(first, pytest.skip.Exception):
        first = AssertionError("a row is skipped, which nobody would see")
    first.add_note("\n".join(lines))
    return first
