"""The tables of ``WorkloadTelemetry`` and ``TelemetryHost``, which have a status only."""

from __future__ import annotations

from fleet_telemetry.api.resources import TELEMETRY_HOST, WORKLOAD_TELEMETRY
from tests.support.crd_cases import Array, Check, Choice, Flag, Kind, Number, Object, Time
from tests.support.crd_values import (
    CHANNEL,
    CONDITION,
    MEANING,
    SUBMISSION,
    TEXT,
    WORKLOAD_KIND,
    conditions,
    text,
)

_CHANNEL = "status.channels[0]"
_SUMMARY = "status.summary"
_STATE = Choice(of=("Compliant", "NonCompliant", "Pending", "Unknown", "NotEnforceable", "Exempt"))
_SENDS = Choice(of=("Yes", "No", "Unknown"))
_PROVENANCE = Choice(of=("Source", "Documentation", "User"))
_EGRESS = ("Denied", "Allowed", "Open", "Unknown")
_OBSERVED = ("Contacted", "Quiet", "Unknown")
_RESOURCE_RECORD = {
    "resource": "settings.longhorn.io",
    "version": "v1beta2",
    "kind": "Setting",
    "name": "upgrade-checker",
    "path": "value",
}
_WORKLOAD_TABLE: dict[str, Check] = {
    "": Object(),
    "status": Object(),
    "status.workload": Object(required=("kind", "name")),
    "status.workload.kind": WORKLOAD_KIND,
    "status.workload.name": TEXT,
    "status.product": TEXT,
    "status.version": TEXT,
    "status.policy": Object(required=("kind", "name")),
    "status.policy.kind": TEXT,
    "status.policy.name": TEXT,
    "status.desired": SUBMISSION,
    "status.channels": Array(
        item=lambda index: {"name": "Usage", "declared": "Unset", "running": MEANING.of[index]},
        kind="atomic",
    ),
    _CHANNEL: Object(required=("name", "declared", "running")),
    f"{_CHANNEL}.name": CHANNEL,
    f"{_CHANNEL}.product": TEXT,
    f"{_CHANNEL}.policy": Object(required=("kind", "name")),
    f"{_CHANNEL}.policy.kind": TEXT,
    f"{_CHANNEL}.policy.namespace": TEXT,
    f"{_CHANNEL}.policy.name": TEXT,
    f"{_CHANNEL}.state": _STATE,
    f"{_CHANNEL}.reason": TEXT,
    f"{_CHANNEL}.message": text(4096),
    f"{_CHANNEL}.sends": _SENDS,
    f"{_CHANNEL}.sendsReason": TEXT,
    f"{_CHANNEL}.sendsMessage": text(4096),
    f"{_CHANNEL}.hosts": Array(
        item=lambda index: f"{index}.acme.example", kind="atomic", longest=64
    ),
    f"{_CHANNEL}.hosts[0]": TEXT,
    f"{_CHANNEL}.remedy": text(4096),
    f"{_CHANNEL}.provenance": _PROVENANCE,
    f"{_CHANNEL}.declared": MEANING,
    f"{_CHANNEL}.running": MEANING,
    f"{_CHANNEL}.reported": Choice(of=MEANING.of, default="Unknown"),
    f"{_CHANNEL}.egress": Choice(of=_EGRESS, default="Unknown"),
    f"{_CHANNEL}.reportedReason": TEXT,
    f"{_CHANNEL}.reportedMessage": text(4096),
    f"{_CHANNEL}.egressReason": TEXT,
    f"{_CHANNEL}.egressMessage": text(4096),
    f"{_CHANNEL}.observed": Choice(of=_OBSERVED, default="Unknown"),
    f"{_CHANNEL}.observedReason": TEXT,
    f"{_CHANNEL}.observedMessage": text(4096),
    f"{_CHANNEL}.observedSince": Time(),
    f"{_CHANNEL}.lastObservedTime": Time(),
    f"{_CHANNEL}.lastSubmissionTime": Time(),
    f"{_CHANNEL}.inventory": Array(item=lambda index: f"field_{index}", kind="atomic", longest=256),
    f"{_CHANNEL}.inventory[0]": TEXT,
    _SUMMARY: Object(required=("channel", "product", "declared", "running", "reported", "egress")),
    f"{_SUMMARY}.channel": CHANNEL,
    f"{_SUMMARY}.product": TEXT,
    f"{_SUMMARY}.sends": _SENDS,
    f"{_SUMMARY}.policy": TEXT,
    f"{_SUMMARY}.desired": SUBMISSION,
    f"{_SUMMARY}.state": _STATE,
    f"{_SUMMARY}.stateChannel": CHANNEL,
    f"{_SUMMARY}.reason": TEXT,
    f"{_SUMMARY}.declared": MEANING,
    f"{_SUMMARY}.running": MEANING,
    f"{_SUMMARY}.reported": MEANING,
    f"{_SUMMARY}.egress": Choice(of=_EGRESS),
    f"{_SUMMARY}.observed": Choice(of=_OBSERVED, default="Unknown"),
    f"{_SUMMARY}.provenance": _PROVENANCE,
    "status.injected": Array(
        item=lambda index: {"container": "a", "name": f"NAME_{index}", "value": "b"},
        kind="atomic",
    ),
    "status.injected[0]": Object(required=("container", "name", "value")),
    "status.injected[0].container": TEXT,
    "status.injected[0].name": TEXT,
    "status.injected[0].value": TEXT,
    "status.injected[0].kind": Choice(
        of=("Variable", "Argument", "Suspension"), default="Variable"
    ),
    "status.injected[0].imageArguments": Array(
        item=lambda index: f"word {index}", kind="atomic", longest=16
    ),
    "status.injected[0].imageArguments[0]": TEXT,
    "status.injectedBefore": Array(
        item=lambda index: {"container": "a", "name": f"NAME_{index}", "value": "b"},
        kind="atomic",
        longest=32,
    ),
    "status.injectedBefore[0]": Object(required=("container", "name", "value")),
    "status.injectedBefore[0].container": TEXT,
    "status.injectedBefore[0].name": TEXT,
    "status.injectedBefore[0].value": TEXT,
    "status.injectedBefore[0].kind": Choice(
        of=("Variable", "Argument", "Suspension"), default="Variable"
    ),
    "status.injectedBefore[0].imageArguments": Array(
        item=lambda index: f"word {index}", kind="atomic", longest=16
    ),
    "status.injectedBefore[0].imageArguments[0]": TEXT,
    "status.contacts": Array(
        item=lambda index: {
            "host": f"{index}.acme.example",
            "pod": "a-0",
            "podUid": "uid-0",
            "firstTime": "2026-11-20T08:00:00Z",
            "lastTime": "2026-11-20T08:00:00Z",
            "lookups": 1,
        },
        kind="atomic",
        longest=32,
    ),
    "status.contacts[0]": Object(
        required=("host", "pod", "podUid", "firstTime", "lastTime", "lookups")
    ),
    "status.contacts[0].host": text(253),
    "status.contacts[0].pod": text(253),
    "status.contacts[0].podUid": text(64),
    "status.contacts[0].firstTime": Time(),
    "status.contacts[0].lastTime": Time(),
    "status.contacts[0].lookups": Number(lowest=1),
    "status.contacts[0].refused": Flag(default=False),
    "status.resources": Array(
        item=lambda index: {**_RESOURCE_RECORD, "name": f"name-{index}"},
        kind="atomic",
        longest=32,
    ),
    "status.resources[0]": Object(
        required=("resource", "version", "kind", "name", "path"),
    ),
    "status.resources[0].resource": text(320),
    "status.resources[0].version": text(32),
    "status.resources[0].kind": text(63),
    "status.resources[0].namespace": TEXT,
    "status.resources[0].name": text(253),
    "status.resources[0].path": text(256),
    "status.resources[0].setting": Choice(of=MEANING.of, default="Unknown"),
    "status.resources[0].uid": text(64),
    "status.resources[0].resourceVersion": text(64),
    "status.resources[0].type": Choice(of=("String", "Boolean"), default="String"),
    "status.resources[0].setValue": text(1024),
    "status.resources[0].setAbsent": Flag(default=False),
    "status.resources[0].valueBefore": text(1024),
    "status.resources[0].setUid": text(64),
    "status.seeds": Array(
        item=lambda index: {
            "product": f"product-{index}",
            "channel": "Usage",
            "desired": "Disabled",
            "volumes": [],
        },
        kind="atomic",
    ),
    "status.seeds[0]": Object(required=("product", "channel", "desired", "volumes")),
    "status.seeds[0].product": TEXT,
    "status.seeds[0].channel": CHANNEL,
    "status.seeds[0].desired": SUBMISSION,
    "status.seeds[0].volumes": Array(item=lambda index: f"uid-{index}", kind="set"),
    "status.seeds[0].volumes[0]": TEXT,
    **conditions(8),
}
WORKLOAD = Kind(
    resource=WORKLOAD_TELEMETRY,
    full={
        "status": {
            "workload": {"kind": "StatefulSet", "name": "dependency-track"},
            "product": "dependency-track",
            "version": "4.14.3",
            "policy": {"kind": "TelemetryPolicy", "name": "opt-out"},
            "desired": "Disabled",
            "channels": [
                {
                    "name": "Usage",
                    "policy": {
                        "kind": "TelemetryPolicy",
                        "namespace": "appsec",
                        "name": "opt-out",
                    },
                    "product": "dependency-track",
                    "state": "Unknown",
                    "reason": "SeedNotProven",
                    "message": "Nothing shows that the setting counted.",
                    "sends": "Unknown",
                    "sendsReason": "SeedNotProven",
                    "sendsMessage": "Nothing shows with which setting that was.",
                    "hosts": ["metrics.dependencytrack.org"],
                    "remedy": "Name credentials in spec.runtime.",
                    "provenance": "Source",
                    "declared": "Disabled",
                    "running": "Disabled",
                    "reported": "Unset",
                    "egress": "Open",
                    "reportedReason": "CredentialsMissing",
                    "reportedMessage": "The policy names no credentials for the product.",
                    "egressReason": "NothingIsolates",
                    "egressMessage": "No network policy isolates the pods for egress.",
                    "observed": "Quiet",
                    "observedReason": "NoLookup",
                    "observedMessage": "No pod asked for a host of the channel.",
                    "observedSince": "2026-11-20T07:00:00Z",
                    "lastObservedTime": "2026-11-20T06:00:00Z",
                    "lastSubmissionTime": "2026-11-20T08:00:00Z",
                    "inventory": ["system_id", "version"],
                }
            ],
            "summary": {
                "channel": "Usage",
                "product": "dependency-track",
                "sends": "Yes",
                "policy": "opt-out",
                "desired": "Disabled",
                "state": "Unknown",
                "stateChannel": "Usage",
                "reason": "SeedNotProven",
                "declared": "Disabled",
                "running": "Disabled",
                "reported": "Unset",
                "egress": "Open",
                "observed": "Quiet",
                "provenance": "Source",
            },
            "injected": [
                {
                    "container": "api-server",
                    "name": "TELEMETRY_SUBMISSION_ENABLED_DEFAULT",
                    "value": "false",
                    "kind": "Argument",
                    "imageArguments": ["run"],
                }
            ],
            "injectedBefore": [
                {
                    "container": "api-server",
                    "name": "DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED",
                    "value": "false",
                    "kind": "Argument",
                    "imageArguments": ["run"],
                }
            ],
            "resources": [
                {
                    **_RESOURCE_RECORD,
                    "namespace": "longhorn-system",
                    "setting": "Disabled",
                    "uid": "uid-0",
                    "resourceVersion": "7",
                    "type": "Boolean",
                    "setValue": "false",
                    "setAbsent": True,
                    "valueBefore": "true",
                    "setUid": "uid-0",
                }
            ],
            "contacts": [
                {
                    "host": "metrics.dependencytrack.org",
                    "pod": "dependency-track-0",
                    "podUid": "0b1f3a0e-0000-4000-8000-000000000000",
                    "firstTime": "2026-11-20T06:00:00Z",
                    "lastTime": "2026-11-20T06:00:05Z",
                    "lookups": 4,
                    "refused": True,
                }
            ],
            "seeds": [
                {
                    "product": "dependency-track",
                    "channel": "Usage",
                    "desired": "Disabled",
                    "volumes": ["6f1c3a0e-0000-4000-8000-000000000000"],
                }
            ],
            "conditions": [CONDITION],
        }
    },
    bare={},
    table=_WORKLOAD_TABLE,
)

_FAMILY = "status.families[0]"
_VIEW = f"{_FAMILY}.views[0]"
_HOST_TABLE: dict[str, Check] = {
    "": Object(),
    "status": Object(),
    "status.asOf": Time(),
    "status.addresses": Array(
        item=lambda index: {"ip": f"192.0.2.{index}"},
        kind="map",
        key="ip",
        twin={"ip": "192.0.2.0", "expiresAt": "2026-11-21T08:00:00Z"},
        longest=64,
    ),
    "status.addresses[0]": Object(required=("ip",)),
    "status.addresses[0].ip": text(45),
    "status.addresses[0].seenAt": Time(),
    "status.addresses[0].expiresAt": Time(),
    "status.addresses[0].denyExpiresAt": Time(),
    "status.families": Array(
        item=lambda index: {"family": ("IPv4", "IPv6", "IPv4")[index]},
        kind="map",
        key="family",
        twin={"family": "IPv4", "settled": True},
    ),
    _FAMILY: Object(required=("family",)),
    f"{_FAMILY}.family": Choice(of=("IPv4", "IPv6")),
    f"{_FAMILY}.settled": Flag(default=False),
    f"{_FAMILY}.lastAnsweredAt": Time(),
    f"{_FAMILY}.lastOutcome": Choice(of=("Ok", "NoData", "NxDomain", "Transient", "Fault")),
    f"{_FAMILY}.negatives": Number(lowest=0, default=0),
    f"{_FAMILY}.negativeSince": Time(),
    f"{_FAMILY}.heldSince": Time(),
    f"{_FAMILY}.heldAnswers": Number(lowest=0, default=0),
    f"{_FAMILY}.views": Array(
        item=lambda index: {"name": f"view-{index}", "answeredAt": "2026-11-20T08:00:00Z"},
        kind="map",
        key="name",
        twin={"name": "view-0", "answeredAt": "2026-11-21T08:00:00Z"},
        longest=64,
    ),
    _VIEW: Object(required=("name", "answeredAt")),
    f"{_VIEW}.name": text(253, shortest=1),
    f"{_VIEW}.answeredAt": Time(),
    "status.cappedAt": Time(),
    "status.ranges": Object(required=("provider", "etag", "cidrs")),
    "status.ranges.provider": text(63),
    "status.ranges.etag": text(256),
    "status.ranges.cidrs": Array(item=lambda index: f"192.0.2.{index}/32", kind="set", longest=64),
    "status.ranges.cidrs[0]": TEXT,
    **conditions(16),
}
HOST = Kind(
    resource=TELEMETRY_HOST,
    full={
        "status": {
            "asOf": "2026-11-20T08:00:00Z",
            "addresses": [
                {
                    "ip": "192.0.2.1",
                    "seenAt": "2026-11-20T08:00:00Z",
                    "expiresAt": "2026-11-20T09:01:00Z",
                    "denyExpiresAt": "2026-11-27T08:01:00Z",
                }
            ],
            "families": [
                {
                    "family": "IPv4",
                    "settled": True,
                    "lastAnsweredAt": "2026-11-20T08:00:00Z",
                    "lastOutcome": "NxDomain",
                    "negatives": 2,
                    "negativeSince": "2026-11-20T07:59:30Z",
                    "heldSince": "2026-11-20T07:00:00Z",
                    "heldAnswers": 4,
                    "views": [{"name": "cluster", "answeredAt": "2026-11-20T08:00:00Z"}],
                }
            ],
            "cappedAt": "2026-11-20T08:00:00Z",
            "ranges": {"provider": "Cloudflare", "etag": "abc", "cidrs": ["198.51.100.0/24"]},
            "conditions": [CONDITION],
        }
    },
    bare={},
    table=_HOST_TABLE,
)
