"""The protocol of the adapters of products' APIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.http import VendorApi, VendorError

__all__ = ["Adapter", "Credentials", "InstanceReport", "header_secret"]

Credentials = Mapping[str, str]
"""The keys of the policy's Secret, decoded. Never logged, never part of a message."""


class Adapter(Protocol):
    """Reads the effective telemetry setting, and writes it if the product allows that.

    Both methods raise VendorError.
    """

    keys: tuple[str, ...]
    """Required keys of the Secret."""
    settable: bool
    """Whether the product can be set at run time at all."""
    per_pod: bool
    """Whether every pod has a setting of its own, so that each is read."""

    async def read(self, api: VendorApi, credentials: Credentials) -> InstanceReport:
        """Read the setting."""
        ...

    async def write(self, api: VendorApi, credentials: Credentials, desired: Submission) -> None:
        """Write the setting. Writing the current value is not an error."""
        ...


def header_secret(credentials: Credentials, key: str) -> str:
    """A credential for a header: visible ASCII only, because the HTTP library's error about another
    character would quote it. Raises VendorError."""
    value = credentials.get(key, "").strip()
    if not value:
        raise VendorError(Reason.SECRET_INCOMPLETE, f"the Secret has nothing under {key!r}")
    if not (value.isascii() and value.isprintable()) or " " in value:
        text = f"the Secret has something under {key!r} that no header can hold"
        raise VendorError(Reason.SECRET_INCOMPLETE, text)
    return value
