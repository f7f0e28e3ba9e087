"""The files of one cluster: where they are, and those that we write ourselves."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from dev.cluster import credentials
from dev.cluster.slots import Slot

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Layout:
    """Paths and addresses."""

    directory: Path
    slot: Slot

    @property
    def etcd_url(self) -> str:
        """For kube-apiserver only."""
        return f"http://127.0.0.1:{self.slot.etcd_port}"

    @property
    def url(self) -> str:
        """Of the API server."""
        return f"https://127.0.0.1:{self.slot.apiserver_port}"

    @property
    def etcd_data(self) -> Path:
        """All that the cluster knows."""
        return self.directory / "etcd"

    @property
    def certificates(self) -> Path:
        """kube-apiserver makes its own certificate there."""
        return self.directory / "certificates"

    @property
    def ca(self) -> Path:
        """The certificate with the authority that signed it."""
        return self.certificates / "apiserver.crt"

    def ca_is_complete(self) -> bool:
        """Look whether kube-apiserver has written it: the key comes after the certificate."""
        return (self.certificates / "apiserver.key").exists()

    @property
    def signing_key(self) -> Path:
        """For the tokens of service accounts."""
        return self.directory / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        """Of the users that are no service accounts."""
        return self.directory / "tokens.csv"

    @property
    def audit_policy(self) -> Path:
        """What kube-apiserver writes to the audit log, where that is on."""
        return self.directory / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line."""
        return self.directory / "audit.log"

    def kubeconfig(self, user: str) -> Path:
        """Name the kubeconfig of one of credentials.USERS."""
        name = "kubeconfig" if user == "admin" else f"kubeconfig-{user}"
        return self.directory / name


def log(directory: Path, component: str) -> Path:
    """Name a component's log; needs no Layout, because it outlives the slot."""
    return directory / "logs" / f"{component}.log"


def prepare(layout: Layout, tokens: Mapping[str, str]) -> None:
    """Write what the first components read, and remove what is left of an earlier life."""
    logs = log(layout.directory, "any").parent
    for folder in (layout.etcd_data, layout.certificates, logs):
        shutil.rmtree(folder, ignore_errors=True)
    layout.audit_log.unlink(missing_ok=True)
    logs.mkdir(parents=True)
    credentials.write_private(layout.tokens, credentials.token_file(tokens))
    credentials.write_private(layout.signing_key, credentials.new_signing_key())
    layout.audit_policy.write_text(yaml.safe_dump(_AUDIT_POLICY))


def write_kubeconfigs(layout: Layout, tokens: Mapping[str, str]) -> None:
    """Write a kubeconfig for each user, once kube-apiserver has made its certificate."""
    authority = layout.ca.read_bytes()
    for user, token in tokens.items():
        text = credentials.kubeconfig(layout.url, authority, user, token)
        credentials.write_private(layout.kubeconfig(user), text)
