"""Credentials from a Secret. They are read when they are needed and are not cached."""

from __future__ import annotations

import base64
import binascii

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.manifest import Manifest, mapping_at, text_at

CREDENTIAL_LABEL = "fleettelemetry.io/credential"
"""A Secret without this label is not used: whoever may write a policy could otherwise have any
Secret of a namespace sent to a product. Its value is "true", or the name of the only product that
may have it."""
_USABLE_KUBERNETES_TYPES = ("kubernetes.io/basic-auth",)
"""The others hold tokens, keys and configurations of Kubernetes, registries and hosts. Basic
authentication is how people log in to products."""
_CA = "ca.crt"
_LONGEST_TYPE = 100


class SecretError(Exception):
    """The Secret cannot be used. The message contains nothing of its data."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


async def read_secret(
    client: KubernetesClient, secret: tuple[str, str], keys: tuple[str, ...], product: str
) -> dict[str, str]:
    """The decoded values of these keys of a Secret (namespace, name), and of ca.crt if it exists.

    Raises SecretError if the Secret cannot be used, ApiError if the API server fails.
    """
    namespace, name = secret
    where = f"Secret {namespace}/{name}"
    try:
        manifest = await client.get(kinds.SECRET, name, namespace)
    except ApiError as error:
        if error.is_not_found:
            raise SecretError(Reason.SECRET_NOT_READABLE, f"{where} does not exist") from None
        if error.is_forbidden:
            text = f"{where} may not be read; add it to the chart's value runtime.secrets"
            raise SecretError(Reason.SECRET_NOT_READABLE, text) from None
        raise
    check_consent(manifest, where, product)
    return credentials_in(manifest, where, keys)


def check_consent(manifest: Manifest, where: str, product: str) -> None:
    """Raise SecretError unless the Secret is marked as a credential for the product, and of a type
    for that."""
    label = mapping_at(manifest, "metadata", "labels").get(CREDENTIAL_LABEL)
    if label not in ("true", product):
        raise SecretError(
            Reason.SECRET_NOT_LABELED,
            f'{where} lacks the label {CREDENTIAL_LABEL}: "true", or has it for another product',
        )
    kind = text_at(manifest, "type")
    domain = kind.partition("/")[0].lower() if "/" in kind else ""
    of_kubernetes = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    if of_kubernetes and kind not in _USABLE_KUBERNETES_TYPES:
        raise SecretError(
            Reason.SECRET_TYPE_REFUSED, f"{where} has the type {kind[:_LONGEST_TYPE]}"
        )


def credentials_in(manifest: Manifest, where: str, keys: tuple[str, ...]) -> dict[str, str]:
    """The decoded values of a Secret's manifest. ``where`` names the Secret in errors.

    Raises SecretError.
    """
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
            raise SecretError(Reason.SECRET_INCOMPLETE, f"{where} has no value for the key {key!r}")
        # Editors and `echo` leave a line break at the end.
        found[key] = text if key == _CA else text.strip()
        if key != _CA and not found[key].isprintable():
            text = f"{where} has a value for the key {key!r} that no HTTP header can hold"
            raise SecretError(Reason.SECRET_INCOMPLETE, text)
    return found
