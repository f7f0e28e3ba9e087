"""What to do about a channel."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.audit.formats.wording import what_to_do
from fleet_telemetry.audit.judging import findings_of
from fleet_telemetry.audit.result import Finding, Place
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.remedies import remedy_of
from fleet_telemetry.switches.edits import Trigger
from tests.support.argument_products import GO
from tests.support.builders import (
    catalogue,
    container,
    manifest,
    pod_of,
    policy,
    product,
    under,
    workload,
)

ENV = {"semantics": "Start", "env": {"name": "ACME", "disabled": "no", "enabled": "yes"}}
ARGUMENT = {"semantics": "Start", "argument": GO}
VENDOR = "Ask the vendor."
COVER = "Or cover the channel with a policy that has submission: Disabled."
DENY = "Deny its hosts by a policy with spec.egress.action: Deny."
OFF, ON = {"ACME": "no"}, {"ACME": "yes"}
AUDITS: dict[str, Any] = {"mode": "Audit", "additionalProducts": ["acme"]}


def remedy(
    rule: dict[str, Any],
    env: dict[str, Any] | None = None,
    tag: str = "2.0.0",
    args: tuple[str, ...] | list[str] = (),
    **spec: Any,
) -> str:
    channels = [{"name": "Usage", "rules": [{"default": "On", **rule}]}]
    policies = (policy(**spec),) if spec else ()
    cluster = under(*policies, catalogue=catalogue(product("acme", channels=channels)))
    words = {"command": ["acme"], "args": args} if args else {}
    present = manifest(container(f"acme/acme:{tag}", env=env, **words))
    plan = decide(cluster.input(present, Trigger.RECONCILE, pods=(pod_of(present),)))
    return remedy_of(workload(present), plan.targets, plan.verdicts[0])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # Without a policy: what switches it off.
        (remedy({"switches": [ENV]}), f"Set ACME=no in container app. {COVER}"),
        (remedy({"switches": [ENV]}, ON), f"Set ACME=no in container app. {COVER}"),
        (remedy({"switches": [ENV]}, OFF), ""),
        (
            remedy({"switches": [ARGUMENT]}, args=["-telemetry=true"]),
            (
                "Remove -telemetry=true from container app. Set -telemetry=false in container app. "
                f"{COVER}"
            ),
        ),
        (remedy({"switches": [], "remedy": VENDOR}), f"{DENY} {VENDOR}"),
        (remedy({"switches": [ENV], "leaves": "a ping"}, OFF), DENY),
        (remedy({"switches": [ENV], "versions": ["<2"]}, tag="latest"), "Name the version"),
        (remedy({"default": "NoTelemetry"}), ""),
        # With one: what its verdict needs.
        (remedy({"switches": [ENV]}, OFF, **AUDITS), ""),
        (remedy({"switches": [], "remedy": VENDOR}, **AUDITS), "Deny its hosts by spec.egress"),
        (
            remedy({"switches": [ENV]}, {"ACME": "$(X)"}, **AUDITS),
            "Write a value that the product's documentation names.",
        ),
        (
            remedy({"switches": [ENV], "remedy": VENDOR}, ON, submission="Enabled", **AUDITS),
            "",
        ),
        (
            remedy(
                {"switches": [ENV]},
                submission="Disabled",
                injection={"when": "Never"},
                additionalProducts=["acme"],
            ),
            "Set the switch in the manifest, or let the policy add it.",
        ),
    ],
)
def test_what_to_do(found: str, expected: str) -> None:
    assert found.startswith(expected)
    assert bool(found) is bool(expected)


FERRET, OPA = "ghcr.io/ferretdb/ferretdb:2.7.0", "openpolicyagent/opa:1.0.0"


def advised(image: str, env: dict[str, str]) -> tuple[str, Finding]:
    """What the record says, and the finding of the audit."""
    present = manifest(container(image, env=env))
    plan = decide(under().input(present, Trigger.RECONCILE, pods=(pod_of(present),)))
    verdict = plan.verdicts[0]
    subject = Subject(Place(cluster="prod"), workload(present), pods=(pod_of(present),))
    return remedy_of(workload(present), plan.targets, verdict), next(findings_of(subject, plan))


@pytest.mark.parametrize(
    ("image", "to_set"),
    [
        (FERRET, "Set FERRETDB_TELEMETRY=disable in container app."),
        # Alone, the flag would take the place of the image's own arguments.
        (OPA, "Set run, --skip-version-check=true in container app."),
    ],
)
def test_the_record_and_the_audit_advise_the_same(image: str, to_set: str) -> None:
    said, finding = advised(image, {})
    assert said == f"{to_set} {COVER}"
    assert what_to_do(finding) == to_set


def test_nobody_is_told_to_set_what_keeps_the_product_from_starting() -> None:
    said, finding = advised(FERRET, {"DO_NOT_TRACK": "false"})
    assert "Set FERRETDB" not in said
    assert finding.changes == ()
    assert [(one.entry, one.message) for one in finding.obstacles] == [
        (
            "FERRETDB_TELEMETRY",
            (
                "The product does not start with FERRETDB_TELEMETRY and DO_NOT_TRACK. Remove the "
                "latter."
            ),
        )
    ]
    assert finding.obstacles[0].message in what_to_do(finding)
