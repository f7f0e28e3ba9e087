"""What an adapter of a product's API gives and takes."""

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
    """Reads, and where the product allows it sets, the effective telemetry setting.

    Both methods raise VendorError.
    """

    keys: tuple[str, ...]
    """Keys that the Secret has to have."""
    settable: bool
    """Whether the product can be set at run time at all."""
    per_pod: bool
    """Whether every pod has a setting of its own, so that each has to be asked."""

    async def read(self, api: VendorApi, credentials: Credentials) -> InstanceReport:
        """What the product says now."""
        ...

    async def write(self, api: VendorApi, credentials: Credentials, desired: Submission) -> None:
        """Set it. Writing what is set already is no fault."""
        ...


def header_secret(credentials: Credentials, key: str) -> str:
    """A credential that goes into a header as it is: visible ASCII only, for an HTTP library's
    complaint about another would quote it. Raises VendorError."""
    value = credentials.get(key, "").strip()
    if not value:
        raise VendorError(Reason.SECRET_INCOMPLETE, f"the Secret has nothing under {key!r}")
    if not (value.isascii() and value.isprintable()) or " " in value:
        text = f"the Secret has something under {key!r} that no header can hold"
        raise VendorError(Reason.SECRET_INCOMPLETE, text)
    return value
