"""Credentials from a Secret, read when they are needed and kept nowhere."""

from __future__ import annotations

import base64
import binascii

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.manifest import Manifest, mapping_at

_CA = "ca.crt"


class SecretError(Exception):
    """The Secret does not give what is needed; the message holds nothing of its content."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


async def read_secret(
    client: KubernetesClient, secret: tuple[str, str], keys: tuple[str, ...]
) -> dict[str, str]:
    """The keys of a Secret, given by namespace and name, and its ca.crt if any, decoded.

    Raises SecretError; ApiError where the API server is at fault.
    """
    namespace, name = secret
    where = f"Secret {namespace}/{name}"
    try:
        manifest = await client.get(kinds.SECRET, name, namespace)
    except ApiError as error:
        if error.is_not_found:
            raise SecretError(Reason.SECRET_NOT_READABLE, f"{where} does not exist") from None
        if error.is_forbidden:
            text = f"{where} may not be read; grant it by the chart's value runtime.secrets"
            raise SecretError(Reason.SECRET_NOT_READABLE, text) from None
        raise
    return credentials_in(manifest, where, keys)


def credentials_in(manifest: Manifest, where: str, keys: tuple[str, ...]) -> dict[str, str]:
    """The keys of a Secret as it was read. Raises SecretError, which names ``where``."""
    data = mapping_at(manifest, "data")
    found = {}
    for key in (*keys, _CA):
        if key == _CA and key not in data:
            continue
        try:
            text = base64.b64decode(str(data.get(key, "")), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        if not text.strip():
            raise SecretError(Reason.SECRET_INCOMPLETE, f"{where} has nothing under {key!r}")
        # A line break at the end is what editors and `echo` leave.
        found[key] = text if key == _CA else text.strip()
        if key != _CA and not found[key].isprintable():
            text = f"{where} has something under {key!r} that no header can hold"
            raise SecretError(Reason.SECRET_INCOMPLETE, text)
    return found
