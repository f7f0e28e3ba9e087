"""The users of the API server, and their files."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

# A component's user name carries the RBAC rights that Kubernetes itself ships for it. It ships none
# for kwok, which may do everything, but under a name of its own in the audit log.
USERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "admin": ("admin", "system:masters"),
        "kube-controller-manager": ("system:kube-controller-manager", ""),
        "kube-scheduler": ("system:kube-scheduler", ""),
        "kwok": ("kwok", "system:masters"),
    }
)

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_KEY_VERSION = bytes.fromhex("020101")
_KEY_CURVE = bytes.fromhex("a00a06082a8648ce3d030107")


def new_tokens() -> dict[str, str]:
    """Make a secret for each of USERS, by the same key."""
    return {name: secrets.token_urlsafe(32) for name in USERS}


def token_file(tokens: Mapping[str, str]) -> str:
    """Write out what kube-apiserver reads: token, user, uid, groups."""
    return "".join(
        f'{tokens[name]},{user},{user},"{group}"\n' for name, (user, group) in USERS.items()
    )


def new_signing_key() -> str:
    """Make a private key for service account tokens: PEM, EC on the curve P-256.

    The standard library makes no keys, but such a key is just a random number in a fixed wrapping
    (RFC 5915); readers derive the public half. Good for a throwaway cluster, and for nothing else.
    """
    number = 1 + secrets.randbelow(_P256_ORDER - 1)
    content = _KEY_VERSION + b"\x04\x20" + number.to_bytes(32, "big") + _KEY_CURVE
    encoded = base64.b64encode(bytes([0x30, len(content)]) + content).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{encoded}\n-----END EC PRIVATE KEY-----\n"


def kubeconfig(url: str, ca: bytes, user: str, token: str) -> str:
    """Write out a kubeconfig (YAML) that stands alone: it needs no other file."""
    authority = base64.b64encode(ca).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "devcluster",
                    "cluster": {"server": url, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [
                {"name": "devcluster", "context": {"cluster": "devcluster", "user": user}}
            ],
            "current-context": "devcluster",
        },
        sort_keys=False,
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whatever was there before."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
