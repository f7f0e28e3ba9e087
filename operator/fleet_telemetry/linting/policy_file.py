"""The manifest of a policy: its schema, and the rules of the CRD."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from fleet_telemetry.api.policy import (
    SPEC_RULES,
    ClusterTelemetryPolicySpec,
    NamespaceName,
    ObjectName,
    Policy,
    PolicyKind,
    TelemetryPolicySpec,
)
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.problem import FileError
from fleet_telemetry.linting.schema_rules import check_spec


class _PolicyMetadata(msgspec.Struct, frozen=True):
    name: ObjectName
    namespace: NamespaceName | None = None


class _PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    api_version: Annotated[str, msgspec.Meta(pattern="^fleettelemetry.io/v1alpha1$")]
    kind: PolicyKind
    metadata: _PolicyMetadata
    spec: Any
    status: Any = None


class _Namespaced(_PolicyFile, frozen=True, forbid_unknown_fields=True, rename="camel"):
    spec: TelemetryPolicySpec


class _Cluster(_PolicyFile, frozen=True, forbid_unknown_fields=True, rename="camel"):
    spec: ClusterTelemetryPolicySpec


def read_policy_file(document: Document, default_namespace: str, created: datetime) -> Policy:
    """The policy. Raises FileError, with every problem at once if the types are right.

    ``created`` is its age in the precedence; an object from the API server has its own.
    """
    kind = document.read(_PolicyFile).kind
    is_cluster = kind is PolicyKind.CLUSTER
    file = document.read(_Cluster if is_cluster else _Namespaced)
    problems = list(check_spec(document, type(file.spec), SPEC_RULES))
    if problems:
        raise FileError(*problems)
    return Policy(
        kind=kind,
        namespace="" if is_cluster else file.metadata.namespace or default_namespace,
        name=file.metadata.name,
        created=created,
        spec=file.spec,
    )
