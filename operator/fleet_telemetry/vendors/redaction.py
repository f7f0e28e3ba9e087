"""Keeps credentials out of what is recorded of a product's answers.

An answer may repeat the credential that it got: in an echo of the request, or on purpose, also as
the name of a field, and in another encoding. What is recorded of an answer is made of words of this
project, except for the names of fields, a version and a time.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import unquote

from fleet_telemetry.evidence.report import InstanceReport

_PART = 8
"""Letters and digits in a row that count as a part of a credential."""
_NOT_SECRET = ("ca.crt",)
_INVISIBLE = re.compile(r"[\W_]+")


class Redaction:
    """Recognises the credentials of one check."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        secrets = [value for key, value in credentials.items() if key not in _NOT_SECRET]
        pairs = [f"{one}:{other}" for one in secrets for other in secrets]
        # With a colon: the user name of basic authentication, with or without a password.
        spelt = [*secrets, *(f"{secret}:" for secret in secrets), *pairs]
        forms = {form for text in spelt for form in _forms(text)}
        self._parts = {part for form in forms for part in _parts(form)}
        self._whole = {_plain(secret) for secret in secrets} - {""}

    def reveals(self, text: str) -> bool:
        """Whether a text has a credential, or 8 characters of it, in any usual encoding. Of a
        shorter credential only the whole counts."""
        for decoded in _decodings(text):
            plain = _plain(decoded)
            if plain in self._whole:
                return True
            if any(part in self._parts for part in _parts(plain)):
                return True
        return False

    def clean(self, report: InstanceReport) -> InstanceReport:
        """The same report without what reveals a credential."""
        names = tuple(name for name in report.inventory if not self.reveals(name))
        left = len(report.inventory) - len(names)
        more = f"{left} names of fields look like the credential and are not shown." if left else ""
        version, when = report.version, report.last_submission
        if version is not None and self.reveals(version):
            version = None
        if when is not None and self.reveals(str(int(when.timestamp()))):
            when = None
        note = " ".join(filter(None, (report.note, more)))
        return replace(report, inventory=names, version=version, last_submission=when, note=note)


def _plain(text: str) -> str:
    """Letters and digits only, in one case: what is left of a text in most places."""
    return _INVISIBLE.sub("", text.casefold())


def _parts(text: str) -> Iterator[str]:
    return (text[start : start + _PART] for start in range(len(text) - _PART + 1))


def _forms(secret: str) -> Iterator[str]:
    """How an answer may write a credential, each as ``_plain`` does."""
    data = secret.encode()
    yield _plain(secret)
    yield _plain(secret)[::-1]
    yield data.hex()
    yield _plain(base64.b32encode(data).decode().rstrip("="))
    # In the middle of something longer, Base64 has three forms. A letter at an edge also holds bits
    # of what is beside it.
    for before, mixed in enumerate((0, 2, 3)):
        for content in (data, data[::-1]):
            text = base64.b64encode(b"\0" * before + content).decode().rstrip("=")
            end = len(text) - ((before + len(content)) % 3 > 0)
            yield _plain(text[mixed:end])


def _decodings(text: str) -> Iterator[str]:
    """A text, and what it says if it is escaped."""
    yield text
    yield unquote(text)
    yield html.unescape(text)
    try:
        yield json.loads(f'"{text}"')
    except ValueError:
        return
