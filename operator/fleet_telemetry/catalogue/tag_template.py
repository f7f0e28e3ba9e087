"""Tags in which the version does not come first: ``stable-2.14.10``, ``4.41_large_disk``.

A template is a glob in which ``{version}`` stands for the version. The version begins with a
number, also after a ``v``, and both of its ends are ends of numbers: nothing cuts ``15.6`` into
``15`` and ``6``. It is as long as the template permits, and is then read as a tag of its own, so
what the template leaves to it may have a suffix. Where a version could be in more than one
place, or the rest of the tag makes another version of it (``1.2.3-rc1`` by ``{version}-*``), none
is read.
"""

from __future__ import annotations

import re

from fleet_telemetry.catalogue.glob import heads_matched
from fleet_telemetry.catalogue.version import VersionSpan

PLACE = "{version}"
_LONGEST = 128
"""Characters of a tag (github.com/distribution/reference v0.6.0, regexp.go)."""
_START = re.compile(r"[vV]?[0-9]")


def match_template(template: str, tag: str) -> str | None:
    """The text at ``{version}``; None if the tag does not match. Empty if it matches in a way that
    names no single version."""
    head, place, tail = template.partition(PLACE)
    if not place or len(tag) > _LONGEST:
        return None
    starts = [at for at in heads_matched(head, tag) if _START.match(tag, at) and not _cuts(tag, at)]
    reversed_ends = heads_matched(tail[::-1], tag[::-1])
    ends = [end for end in (len(tag) - at for at in reversed_ends) if not _cuts(tag, end)]
    end = max(ends, default=0)
    # A v in front of a number belongs to the version, whatever the template leaves open.
    starts = [at for at in starts if at < end and not (at - 1 in starts and tag[at - 1] in "vV")]
    if not starts:
        return None
    found = tag[starts[0] : end]
    return found if len(starts) == 1 and not _goes_on(tag[starts[0] :], found) else ""


def _cuts(tag: str, at: int) -> bool:
    """Whether a place is inside of a number or of numbers joined by dots."""
    before, after = tag[:at][-2:], tag[at : at + 2]
    ends_in_digit = _is_digit(before[-1:])
    return (
        (ends_in_digit and _is_digit(after[:1]))
        or (ends_in_digit and after[:1] == "." and _is_digit(after[1:]))
        or (before[-1:] == "." and _is_digit(before[:1]) and _is_digit(after[:1]))
    )


def _is_digit(character: str) -> bool:
    return character.isascii() and character.isdigit()


def _goes_on(rest: str, found: str) -> bool:
    """Whether what follows makes another version of it."""
    whole = VersionSpan.parse(rest)
    return whole is not None and whole != VersionSpan.parse(found)
