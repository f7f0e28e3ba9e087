"""Requests: what policies ask for that the allowlist for firewalls does not contain.

They are shown apart, so that no firewall consumes them: users of a namespace write them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec

from fleet_telemetry.api.policy import DNS_LABEL, DNS_SUBDOMAIN, PolicyKind
from fleet_telemetry.egress.allowlist import (
    REQUESTS_KEY,
    AllowlistEntry,
    AllowlistError,
    EntryDocument,
    entry_document,
    entry_order,
    read_entry,
    tidy_entry,
)
from fleet_telemetry.egress.host_use import PolicyName
from fleet_telemetry.objects.manifest import Manifest, mapping_at

LARGEST = 96 * 1024
"""Bytes. With more, the last requests of the namespaces that have the most are left out."""
_MOST_NAMED = 8
_VERSION = 1
_LONGEST_NAME = 253
_NAMESPACE = re.compile(DNS_LABEL.expression)
_NAME = re.compile(DNS_SUBDOMAIN.expression)


@dataclass(frozen=True, slots=True)
class AllowlistRequest:
    """What a policy asks for.

    A TelemetryPolicy's allowance or denial of a host, or the part of a ClusterTelemetryPolicy's
    allowance that another policy denies. A denial has its effect on the list all the same.
    """

    policy: PolicyName
    entry: AllowlistEntry
    denied_by: tuple[PolicyName, ...] = ()
    """The policies that deny the host, or any of the addresses."""


def render_requests(requests: Iterable[AllowlistRequest]) -> str:
    """The requests as JSON, one in each line; the same text for the same requests."""
    tidy = sorted({_tidy(one) for one in requests}, key=_order)
    lines: list[tuple[tuple[object, ...], str]] = []
    size = 0
    for request in _fairly(tidy):
        line = json.dumps(_document(request))
        size += len(line) + 2
        if size > LARGEST:
            break
        lines.append((_order(request), line))
    body = ",\n".join(line for _, line in sorted(lines))
    omitted = len(tidy) - len(lines)
    return (
        f'{{"version": {_VERSION}, "omitted": {omitted}, '
        f'"requests": [{f"{chr(10)}{body}{chr(10)}" if body else ""}]}}\n'
    )


def requests_in(manifest: Manifest) -> tuple[AllowlistRequest, ...]:
    """The requests in the ConfigMap of the allowlist; none in that of an earlier release. Raises
    AllowlistError for anything else."""
    text = mapping_at(manifest, "data").get(REQUESTS_KEY)
    if text is None:
        return ()
    try:
        return tuple(map(_read, msgspec.json.decode(str(text), type=_RequestsDocument).requests))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise AllowlistError(f"there are no requests under {REQUESTS_KEY}: {error}") from None


class _Policy(msgspec.Struct, frozen=True):
    kind: PolicyKind
    name: str
    namespace: str = ""


class _Request(EntryDocument, frozen=True, kw_only=True):
    policy: _Policy
    denied_by: tuple[_Policy, ...] = msgspec.field(default=(), name="deniedBy")


class _RequestsDocument(msgspec.Struct, frozen=True):
    requests: tuple[_Request, ...]


def _read(found: _Request) -> AllowlistRequest:
    return AllowlistRequest(
        _policy_name(found.policy), read_entry(found), tuple(map(_policy_name, found.denied_by))
    )


def _policy_name(found: _Policy) -> PolicyName:
    """Raises ValueError."""
    # A full match: the end of the patterns themselves accepts a line break.
    for pattern, value in ((_NAMESPACE, found.namespace or "none"), (_NAME, found.name)):
        if len(value) > _LONGEST_NAME or not pattern.fullmatch(value):
            raise ValueError(f"{value[:_LONGEST_NAME]!a} is no name")
    return PolicyName(found.kind, found.namespace, found.name)


def _tidy(request: AllowlistRequest) -> AllowlistRequest:
    return AllowlistRequest(
        request.policy,
        tidy_entry(request.entry),
        tuple(sorted(set(request.denied_by)))[:_MOST_NAMED],
    )


def _order(request: AllowlistRequest) -> tuple[object, ...]:
    return (*entry_order(request.entry), request.policy, request.denied_by)


def _fairly(requests: Iterable[AllowlistRequest]) -> list[AllowlistRequest]:
    """In turn one of each namespace, so that none displaces the requests of another."""
    turns: dict[str, count[int]] = {}
    placed = []
    for request in requests:
        namespace = request.policy.namespace
        placed.append((next(turns.setdefault(namespace, count())), namespace, request))
    return [request for _, _, request in sorted(placed, key=lambda one: one[:2])]


def _document(request: AllowlistRequest) -> Mapping[str, Any]:
    return {
        "policy": _policy_document(request.policy),
        **entry_document(request.entry),
        "deniedBy": [_policy_document(one) for one in request.denied_by],
    }


def _policy_document(policy: PolicyName) -> Mapping[str, str]:
    place = {"namespace": policy.namespace} if policy.namespace else {}
    return {"kind": policy.kind, **place, "name": policy.name}
