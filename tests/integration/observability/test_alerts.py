"""Each alert fires when it should, says what it should, and is silent otherwise: by promtool."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hack.generate import ROOT
from observability.alerts import ALERTS, RECORDINGS, Alert
from observability.rules import RUNBOOKS
from tests.support import promtool
from tests.support.promtool import Series

BY_NAME = {alert.name: alert for alert in ALERTS}
GROUP = 'resource_namespace="appsec",product="dependency-track",channel="Usage"'
IT = f'{GROUP},kind="StatefulSet",name="api"'
LEADER = 'namespace="fleet-telemetry",pod="controller-1",instance="10.0.0.1:8080"'
"""What a scrape adds; none of it may be in an alert on a workload."""
WORKLOAD_LABELS = {
    "resource_namespace": "appsec",
    "product": "dependency-track",
    "channel": "Usage",
    "kind": "StatefulSet",
    "name": "api",
}
GROUP_LABELS = {key: WORKLOAD_LABELS[key] for key in ("resource_namespace", "product", "channel")}


def state(state: str, desired: str = "Disabled", reason: str = "Because") -> str:
    return (
        f'fleet_telemetry_workload_state{{{IT},{LEADER},desired="{desired}",state="{state}",'
        f'reason="{reason}"}}'
    )


def enabled(evidence: str) -> str:
    return f'fleet_telemetry_submission_enabled{{{IT},{LEADER},evidence="{evidence}"}}'


def submitting(evidence: str) -> str:
    return f'fleet_telemetry_workloads_submitting{{{GROUP},{LEADER},evidence="{evidence}"}}'


@dataclass(frozen=True)
class Case:
    """Series, and the alerts that fire at a time; a series' values are a minute apart."""

    name: str
    series: Series
    at: str
    firing: tuple[dict[str, str], ...] = ()
    said: tuple[str, str] = ("", "")
    """The summary and the description, of each that fires."""
    about: str = field(default="", kw_only=True)


REPORTED_SAID = (
    "dependency-track reports that it submits telemetry although it is opted out.",
    (
        "{who}: the product itself reports that its channel Usage is on, and a policy says that it "
        "shall be off."
    ),
)
RUNNING_SAID = (
    "dependency-track runs with telemetry on although it is opted out.",
    (
        "{who}: pods were started so that the channel Usage is on, a policy says that it shall be "
        "off, and the product does not report otherwise."
    ),
)
LATE_SAID = (
    "dependency-track sent telemetry after it had been shown to be opted out.",
    (
        "{who}: the product says that it last sent something on the channel Usage after it had "
        "been found compliant. Somebody turned it on in between, or the switch does not do what "
        "its vendor says."
    ),
)
UNKNOWN_SAID = (
    "It has been unknown for too long whether dependency-track submits telemetry.",
    (
        "{who}: a policy covers the channel Usage, and what is known does not suffice to say where "
        "it stands. The reason is in WorkloadTelemetry."
    ),
)
REJECTED_SAID = (
    "dependency-track cannot be checked: CredentialsRejected.",
    (
        "{who}: the credentials that a policy names do not open the product's API, so what it "
        "reports is no longer known."
    ),
)
IT_SAID = "StatefulSet appsec/api"
COUNT_SAID = "3 workloads in appsec"


def said(texts: tuple[str, str], who: str) -> tuple[str, str]:
    return texts[0], texts[1].format(who=who)


REPORTED = "FleetTelemetrySubmissionReported"
RUNNING = "FleetTelemetrySubmissionRunning"
LATE = "FleetTelemetrySubmittedAfterOptOut"
UNKNOWN = "FleetTelemetryUnknownTooLong"
REJECTED = "FleetTelemetryCredentialsRejected"
EXPIRING = "FleetTelemetryExceptionExpiring"
OPEN = "FleetTelemetryWebhookFailingOpen"
NO_LEADER = "FleetTelemetryNoLeader"
CERTIFICATE = "FleetTelemetryCertificateExpiring"
LAST = f"fleet_telemetry_last_submission_timestamp_seconds{{{IT},{LEADER}}}"
SINCE = (
    'fleet_telemetry_compliant_since_timestamp_seconds{resource_namespace="appsec",'
    f'kind="StatefulSet",name="api",{LEADER}}}'
)
ASKED = (
    f'resource_namespace="appsec",product="dependency-track",kind="StatefulSet",name="api",{LEADER}'
)
EXCEPTION_LABELS = {
    "policy_kind": "TelemetryPolicy",
    "policy_namespace": "appsec",
    "policy": "opt-out",
    "resource_namespace": "appsec",
    "kind": "StatefulSet",
    "name": "api",
}
EXCEPTION = (
    "fleet_telemetry_exception_expiry_timestamp_seconds{"
    + ",".join(f'{key}="{value}"' for key, value in EXCEPTION_LABELS.items())
    + f",{LEADER}}}"
)
WEBHOOK = 'namespace="fleet-telemetry",instance="10.0.0.2:8080"'
WEBHOOK_IS_UP = {
    f'fleet_telemetry_build_info{{{WEBHOOK},role="webhook"}}': "1x120",
    f"fleet_telemetry_synced{{{WEBHOOK}}}": "1x120",
}
OTHER_WEBHOOK = WEBHOOK.replace("0.2", "0.3")
CALLS = f'fleet_telemetry_admission_requests_total{{{WEBHOOK},path="mutate",kind="Job"'
EXPIRY = f"fleet_telemetry_webhook_certificate_expiry_timestamp_seconds{{{WEBHOOK}}}"
NOT_MATCHED = "FleetTelemetryMatchConditionErrors"
EVALUATION_ERRORS = (
    "apiserver_admission_match_condition_evaluation_errors_total{"
    'name="workloads.fleettelemetry.io",kind="webhook",type="admit",operation="CREATE"}'
)
FAILED_OPEN = (
    'apiserver_admission_webhook_fail_open_count{name="workloads.fleettelemetry.io",type="admit"}'
)
NOT_MATCHED_SAID = (
    "The API server does not call the webhook for some workloads.",
    (
        "The API server could not evaluate a match condition of workloads.fleettelemetry.io, so "
        "it admitted the workload without the webhook, and no setting was injected."
    ),
)
STALE = "FleetTelemetryEgressStale"
ANSWERED = (
    'fleet_telemetry_host_last_answer_timestamp_seconds{host="telemetry.example.com",'
    f'family="IPv4",{LEADER}}}'
)
FRESH = (
    'fleet_telemetry_host_condition{{host="telemetry.example.com",condition="Fresh",'
    f'status="{{}}",{LEADER}}}}}'
)
STALE_SAID = (
    "The addresses of telemetry.example.com are out of date.",
    (
        "No name server has returned addresses of telemetry.example.com for a while. Network "
        "policies keep the known addresses: allowlists for a day, denylists without limit."
    ),
)
CONTACT = "FleetTelemetryContactObserved"
CONTACT_SAID = (
    "dependency-track asked DNS for a telemetry host although it is opted out.",
    (
        "{who}: a pod asked the cluster's DNS for a host that serves the channel Usage alone, and "
        "a policy says that it shall be off. That is an attempt: it does not show that anything "
        "was sent."
    ),
)
CONTACTED = f"fleet_telemetry_workloads_contacted{{{GROUP},{LEADER}}}"
NOT_OBSERVED = "FleetTelemetryLookupsNotObserved"
LOST = "FleetTelemetryLookupsLost"
COMPLETE = f"fleet_telemetry_observed_complete_since_seconds{{{LEADER}}}"


def frames(result: str, instance: str = "10.0.0.1") -> str:
    name = f'fleet_telemetry_observed_frames_total{{{LEADER},result="{result}"}}'
    return name.replace("10.0.0.1", instance)


DAY = 86400

CASES = (
    Case(
        REPORTED,
        {enabled("reported"): "1x20", state("NonCompliant"): "1x20",
         submitting("reported"): "1x20"},
        "10m",
        (WORKLOAD_LABELS,),
        said(REPORTED_SAID, IT_SAID),
        about="a workload, once",
    ),
    Case(
        REPORTED,
        {submitting("reported"): "3x20"},
        "10m",
        (GROUP_LABELS,),
        said(REPORTED_SAID, COUNT_SAID),
        about="a count, where workloads have no series",
    ),
    Case(
        REPORTED,
        {enabled("reported"): "1x20", state("NonCompliant"): "1x20"},
        "4m",
        about="not at once",
    ),
    Case(
        REPORTED,
        {
            enabled("reported"): "0x20",
            enabled("running"): "1x20",
            state("Compliant"): "1x20",
            submitting("reported"): "0x20",
        },
        "10m",
        about="not for what the pods run with",
    ),
    Case(
        REPORTED,
        {enabled("reported"): "1x20", state("Exempt"): "1x20"},
        "10m",
        about="not for who is exempt",
    ),
    Case(
        REPORTED,
        {enabled("reported"): "1x20", state("Compliant", "Enabled"): "1x20"},
        "10m",
        about="not for who may",
    ),
    Case(REPORTED, {enabled("reported"): "1x20"}, "10m", about="not without a policy"),
    Case(
        RUNNING,
        {enabled("running"): "1x90", state("NonCompliant"): "1x90", submitting("running"): "1x90"},
        "80m",
        (WORKLOAD_LABELS,),
        said(RUNNING_SAID, IT_SAID),
        about="a workload",
    ),
    Case(
        RUNNING,
        {submitting("running"): "3x90"},
        "80m",
        (GROUP_LABELS,),
        said(RUNNING_SAID, COUNT_SAID),
        about="a count, where workloads have no series",
    ),
    Case(
        RUNNING,
        {
            enabled("running"): "1x90",
            enabled("reported"): "0x90",
            state("Compliant"): "1x90",
            submitting("running"): "1x90",
        },
        "80m",
        about="not where the product reports otherwise",
    ),
    Case(
        RUNNING,
        {enabled("running"): "1x30 0x60", state("NonCompliant"): "1x90"},
        "80m",
        about="not for a rollout",
    ),
    Case(
        LATE,
        {LAST: "4000x5", SINCE: "3000x5", state("Compliant"): "1x5"},
        "1m",
        (WORKLOAD_LABELS,),
        said(LATE_SAID, IT_SAID),
        about="a workload, at once",
    ),
    Case(
        LATE,
        {f"fleet_telemetry_workloads_submitted_late{{{GROUP},{LEADER}}}": "3x5"},
        "1m",
        (GROUP_LABELS,),
        said(LATE_SAID, COUNT_SAID),
        about="a count, where workloads have no series",
    ),
    Case(
        LATE,
        {LAST: "3300x5", SINCE: "3000x5", state("Compliant"): "1x5"},
        "1m",
        about="not for what was on its way",
    ),
    Case(
        LATE,
        {LAST: "4000x5", SINCE: "3000x5", state("Compliant", "Enabled"): "1x5"},
        "1m",
        about="not for who may",
    ),
    Case(
        LATE,
        {LAST: "4000x5", state("NonCompliant"): "1x5"},
        "1m",
        about="not before it was shown to be opted out",
    ),
    Case(
        LATE,
        # For a moment two replicas show the fleet.
        {
            LAST: "4000x5",
            SINCE: "3000x5",
            SINCE.replace("10.0.0.1", "10.0.0.9"): "3000x5",
            state("Compliant"): "1x5",
        },
        "1m",
        (WORKLOAD_LABELS,),
        said(LATE_SAID, IT_SAID),
        about="also while the lead changes",
    ),
    Case(
        CONTACT,
        {state("NonCompliant", reason="ObservedContact"): "1x5", CONTACTED: "1x5"},
        "0m",
        (WORKLOAD_LABELS,),
        said(CONTACT_SAID, IT_SAID),
        about="a workload, once and at once",
    ),
    Case(
        CONTACT,
        {CONTACTED: "3x5"},
        "0m",
        (GROUP_LABELS,),
        said(CONTACT_SAID, COUNT_SAID),
        about="a count, where workloads have no series",
    ),
    Case(
        CONTACT,
        {state("NonCompliant", reason="SwitchOverridden"): "1x5", CONTACTED: "0x5"},
        "1m",
        about="not for another reason",
    ),
    Case(
        CONTACT,
        {state("Compliant", "Enabled", reason="ObservedContact"): "1x5", CONTACTED: "0x5"},
        "1m",
        about="not for who may",
    ),
    Case(
        NOT_OBSERVED,
        {frames("Lookup"): "0x30", frames("Ignored"): "0x30"},
        "20m",
        ({"namespace": "fleet-telemetry"},),
        about="nothing was ever proven",
    ),
    Case(
        NOT_OBSERVED,
        {frames("Lookup"): "0+9x60", COMPLETE: "1000x20 stale"},
        "40m",
        ({"namespace": "fleet-telemetry"},),
        about="it is no longer proven",
    ),
    Case(
        NOT_OBSERVED,
        {frames("Lookup"): "0+9x60", COMPLETE: "1000x60"},
        "40m",
        about="not while it is proven",
    ),
    Case(
        NOT_OBSERVED,
        {frames("Lookup"): "0+9x60", COMPLETE: "1000x20 stale _x10 2000x30"},
        "31m",
        about="not for a restart of a name server",
    ),
    Case(
        NOT_OBSERVED,
        {
            frames("Lookup"): "0+9x20 stale",
            COMPLETE: "1000x20 stale",
            frames("Lookup", "10.0.0.9"): "_x21 0+9x40",
            COMPLETE.replace("10.0.0.1", "10.0.0.9"): "_x23 2000x40",
        },
        "40m",
        about="not while the lead changes",
    ),
    Case(
        NOT_OBSERVED,
        {f"fleet_telemetry_leader{{{LEADER}}}": "1x30"},
        "20m",
        about="not where DNS is not observed",
    ),
    Case(
        LOST,
        {frames("Skipped"): "0+5x60", frames("Lookup"): "0+50x60"},
        "40m",
        ({"namespace": "fleet-telemetry"},),
        about="for as long as reports are dropped",
    ),
    Case(
        LOST,
        {frames("NoMessage"): "0+5x60"},
        "40m",
        ({"namespace": "fleet-telemetry"},),
        about="also if they cannot be read",
    ),
    Case(
        LOST,
        {frames("Skipped"): "900+5x20 stale", frames("Skipped", "10.0.0.9"): "_x20 5+5x60"},
        "40m",
        ({"namespace": "fleet-telemetry"},),
        about="also across a change of the lead",
    ),
    Case(
        LOST,
        {frames("Skipped"): "7x30 _x15 7x60"},
        "62m",
        about="not after a gap in which nothing was counted",
    ),
    Case(
        LOST,
        {frames("Skipped"): "0x10 500x60", frames("Lookup"): "0+50x70"},
        "22m",
        about="not for one burst",
    ),
    Case(
        LOST,
        {frames("Skipped"): "7x60", frames("Lookup"): "0+50x60", frames("Ignored"): "0+50x60"},
        "40m",
        about="not for what is read",
    ),
    Case(
        UNKNOWN,
        {state("Unknown"): "1x1500"},
        "1450m",
        (WORKLOAD_LABELS,),
        said(UNKNOWN_SAID, IT_SAID),
        about="a workload",
    ),
    Case(
        UNKNOWN,
        # Another replica leads from then on, and the reason is another one.
        {
            state("Unknown"): "1x700 stale",
            state("Unknown", reason="Other").replace("10.0.0.1", "10.0.0.9"): "_x704 1x800",
        },
        "1450m",
        (WORKLOAD_LABELS,),
        said(UNKNOWN_SAID, IT_SAID),
        about="across a change of the lead and of the reason",
    ),
    Case(
        UNKNOWN,
        {f'fleet_telemetry_workloads{{{GROUP},{LEADER},desired="Disabled",state="Unknown"}}':
         "3x1500"},
        "1450m",
        (GROUP_LABELS,),
        said(UNKNOWN_SAID, COUNT_SAID),
        about="a count, where workloads have no series",
    ),
    Case(
        UNKNOWN,
        {state("Unknown"): "1x700 stale", state("Compliant"): "_x701 1x20 stale",
         state("Unknown", reason="Other"): "_x723 1x800"},
        "1450m",
        about="not if it was known in between",
    ),
    Case(UNKNOWN, {state("Pending"): "1x1500"}, "1450m", about="not for what is on its way"),
    Case(
        REJECTED,
        {f'fleet_telemetry_vendor_last_check_timestamp_seconds{{{ASKED},result="{result}"}}':
         "1000x30" for result in ("CredentialsRejected",)},
        "20m",
        ({key: WORKLOAD_LABELS[key] for key in ("resource_namespace", "product", "kind", "name")}
         | {"result": "CredentialsRejected"},),
        said(REJECTED_SAID, IT_SAID),
        about="a workload",
    ),
    Case(
        REJECTED,
        {'fleet_telemetry_vendor_checked_workloads{resource_namespace="appsec",'
         f'product="dependency-track",{LEADER},result="CredentialsRejected"}}': "3x30"},
        "20m",
        ({"resource_namespace": "appsec", "product": "dependency-track",
          "result": "CredentialsRejected"},),
        said(REJECTED_SAID, COUNT_SAID),
        about="a count, where workloads have no series",
    ),
    *(
        Case(
            REJECTED,
            {
                f"fleet_telemetry_vendor_last_check_timestamp_seconds{{{ASKED},"
                f'result="{result}"}}': "1000x30"
            },
            "20m",
            (
                {
                    key: WORKLOAD_LABELS[key]
                    for key in ("resource_namespace", "product", "kind", "name")
                }
                | {"result": result},
            ),
            (f"dependency-track cannot be checked: {result}.", said(REJECTED_SAID, IT_SAID)[1]),
            about=f"also for {result}",
        )
        for result in ("PermissionMissing", "SecretNotReadable", "SecretIncomplete")
    ),
    *(
        Case(
            REJECTED,
            {f'fleet_telemetry_vendor_last_check_timestamp_seconds{{{ASKED},result="{result}"}}':
             "1000x30"},
            "20m",
            about=f"not for {result}",
        )
        for result in ("ok", "Unreachable", "CredentialsMissing")
    ),
    Case(
        EXPIRING,
        {EXCEPTION: f"{6 * DAY}x5"},
        "0m",
        (EXCEPTION_LABELS,),
        (
            "An exception of opt-out expires soon.",
            ("TelemetryPolicy opt-out exempts StatefulSet appsec/api for 6d 0h 0m 0s more. "
            "Then the policy applies again."),
        ),
        about="six days ahead",
    ),
    Case(EXPIRING, {EXCEPTION: f"{8 * DAY}x5"}, "0m", about="not eight days ahead"),
    Case(EXPIRING, {EXCEPTION: "60x5"}, "2m", about="not afterwards"),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP,
         FAILED_OPEN: "_x20 1x60"},
        "30m",
        ({"name": "workloads.fleettelemetry.io"},),
        about="the first time that the API server lets one through",
    ),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP,
         FAILED_OPEN: "_x20 1x60",
         'apiserver_admission_webhook_fail_open_count{name="others.example.com",type="admit"}':
         "0+1x80"},
        "60m",
        about="not an hour later, and not for anybody else's",
    ),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP, f'{CALLS},result="error"}}': "2x20 3x60"},
        "30m",
        ({"namespace": "fleet-telemetry"},),
        about="an error of its own",
    ),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP,
         f'fleet_telemetry_admission_refused_requests_total{{{WEBHOOK},reason="too-large"}}':
         "0x20 1x60"},
        "30m",
        ({"namespace": "fleet-telemetry"},),
        about="a request over a limit",
    ),
    Case(
        NOT_MATCHED,
        {EVALUATION_ERRORS: "_x20 1x60"},
        "30m",
        ({"name": "workloads.fleettelemetry.io"},),
        NOT_MATCHED_SAID,
        about="the first time that a condition fails",
    ),
    Case(
        NOT_MATCHED,
        {EVALUATION_ERRORS: "1x80",
         EVALUATION_ERRORS.replace("workloads.fleettelemetry.io", "others.example.com"): "0+1x80"},
        "60m",
        about="not for what is long past, and not for anybody else's",
    ),
    *(
        Case(NOT_MATCHED, {EVALUATION_ERRORS: values}, at, about=about)
        for values, at, about in (
            ("3x59 _x15 3x60", "82m", "not after a gap in which nothing was counted"),
            ("3x59 stale _x300 3x60", "365m", "not after hours in which the target was lost"),
            ("3x59 _x15 5x60", "95m", "not long after a gap in which it was counted"),
            ("3x20 0x60", "25m", "not for a count that began anew without errors"),
            ("3x20 1x60", "50m", "not long after a count began anew"),
        )
    ),
    *(
        Case(
            NOT_MATCHED,
            {EVALUATION_ERRORS: values},
            at,
            ({"name": "workloads.fleettelemetry.io"},),
            NOT_MATCHED_SAID,
            about=about,
        )
        for values, at, about in (
            ("3x59 _x15 5x60", "82m", "what was counted in a gap"),
            ("3x59 _x15 1x60", "82m", "what was counted anew in a gap"),
            ("3x20 1x60", "25m", "what was counted anew"),
            ("3x59 _x15 3x5 4x60", "84m", "what is counted after a gap"),
        )
    ),
    *(
        Case(
            OPEN,
            {**WEBHOOK_IS_UP, series: "2x59 _x15 2x60"},
            "85m",
            about="not after a gap in which nothing was counted",
        )
        for series in (
            FAILED_OPEN,
            f'{CALLS},result="error"}}',
            f'fleet_telemetry_admission_refused_requests_total{{{WEBHOOK},reason="too-large"}}',
        )
    ),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP, FAILED_OPEN: "2x59 _x15 3x60"},
        "85m",
        ({"name": "workloads.fleettelemetry.io"},),
        about="what was counted in a gap",
    ),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP, f'{CALLS},result="error"}}'.replace(WEBHOOK, OTHER_WEBHOOK):
         "7x20 stale", f'{CALLS},result="error"}}': "_x22 1x60"},
        "30m",
        ({"namespace": "fleet-telemetry"},),
        about="an error of a pod that replaced one with more errors",
    ),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP, f'{CALLS},result="error"}}'.replace(WEBHOOK, OTHER_WEBHOOK):
         "7x20 stale", f'{CALLS},result="error"}}': "_x22 0x60"},
        "30m",
        about="not for a pod that was replaced",
    ),
    Case(
        OPEN,
        {**WEBHOOK_IS_UP, f'{CALLS},result="unchanged"}}': "0+9x80",
         f'{CALLS},result="patched"}}': "0+9x80", f'{CALLS},result="error"}}': "2x80"},
        "30m",
        about="not where it decides",
    ),
    Case(
        OPEN,
        {f'fleet_telemetry_build_info{{{WEBHOOK},role="webhook"}}': "1x30",
         f"fleet_telemetry_synced{{{WEBHOOK}}}": "0x30",
         'fleet_telemetry_build_info{namespace="fleet-telemetry",instance="c:1",'
         'role="controller"}': "1x30",
         'fleet_telemetry_synced{namespace="fleet-telemetry",instance="c:1"}': "1x30"},
        "10m",
        ({"namespace": "fleet-telemetry"},),
        about="no replica has listed the cluster",
    ),
    Case(
        OPEN,
        {f'fleet_telemetry_build_info{{{WEBHOOK},role="webhook"}}': "1x30",
         f"fleet_telemetry_synced{{{WEBHOOK}}}": "0x30",
         f'fleet_telemetry_build_info{{{WEBHOOK},role="webhook"}}'.replace("0.2", "0.3"): "1x30",
         f"fleet_telemetry_synced{{{WEBHOOK}}}".replace("0.2", "0.3"): "1x30"},
        "10m",
        about="one replica suffices",
    ),
    Case(
        OPEN,
        {'fleet_telemetry_build_info{instance="c:1",role="controller"}': "1x30"},
        "10m",
        ({},),
        about="no replica is seen",
    ),
    Case(
        STALE,
        {ANSWERED: "0x60"},
        "40m",
        ({"host": "telemetry.example.com"},),
        STALE_SAID,
        about="no answer for more than half an hour",
    ),
    Case(
        STALE,
        {ANSWERED: "0x60", ANSWERED.replace("IPv4", "IPv6"): "0+60x60"},
        "40m",
        about="not while one family is answered",
    ),
    Case(
        STALE,
        {FRESH.format("true"): "0x60", FRESH.format("unknown"): "1x60"},
        "10m",
        ({"host": "telemetry.example.com"},),
        STALE_SAID,
        about="never an answer",
    ),
    Case(
        STALE,
        {ANSWERED: "0+60x60", FRESH.format("true"): "1x60", FRESH.format("unknown"): "0x60"},
        "50m",
        about="not while it is answered",
    ),
    Case(
        NO_LEADER,
        {f"fleet_telemetry_leader{{{LEADER}}}": "0x20",
         f"fleet_telemetry_leader{{{LEADER}}}".replace("0.1:", "0.2:"): "0x20"},
        "10m",
        ({"namespace": "fleet-telemetry"},),
        about="none of two",
    ),
    Case(NO_LEADER, {'up{job="other"}': "1x20"}, "10m", ({},), about="none is seen"),
    Case(
        NO_LEADER,
        {f"fleet_telemetry_leader{{{LEADER}}}": "1x20",
         f"fleet_telemetry_leader{{{LEADER}}}".replace("0.1:", "0.2:"): "0x20"},
        "10m",
        about="one of two suffices",
    ),
    Case(
        NO_LEADER,
        {f"fleet_telemetry_leader{{{LEADER}}}": "1x6 0x3 1x20"},
        "9m",
        about="not while the lead changes",
    ),
    Case(
        CERTIFICATE,
        {EXPIRY: f"{6 * DAY}x30"},
        "15m",
        ({"namespace": "fleet-telemetry", "instance": "10.0.0.2:8080"},),
        (
            "The webhook's certificate expires soon, or there is none.",
            ("On 10.0.0.2:8080: 5d 23h 45m 0s are left. After that the API server does not trust "
            "the webhook: workloads are admitted unchanged, and policies cannot be changed."),
        ),
        about="six days ahead",
    ),
    Case(
        CERTIFICATE,
        {EXPIRY: "0x30"},
        "15m",
        ({"namespace": "fleet-telemetry", "instance": "10.0.0.2:8080"},),
        (
            "The webhook's certificate expires soon, or there is none.",
            ("On 10.0.0.2:8080: -15m 0s are left. After that the API server does not trust "
            "the webhook: workloads are admitted unchanged, and policies cannot be changed."),
        ),
        about="there is none",
    ),
    Case(CERTIFICATE, {EXPIRY: f"{8 * DAY}x30"}, "15m", about="not eight days ahead"),
)  # fmt: skip


def _rule_test(case: Case) -> dict[str, Any]:
    """In promtool's form."""
    alert = BY_NAME[case.name]
    summary, description = case.said
    expected = [
        {
            "exp_labels": {"severity": alert.severity.value, **labels},
            "exp_annotations": {
                "summary": summary or alert.summary,
                "description": description or alert.description,
                "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
            },
        }
        for labels in case.firing
    ]
    return {
        "name": case.about,
        "interval": "1m",
        "input_series": [
            {"series": series, "values": values} for series, values in case.series.items()
        ],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.name, "exp_alerts": expected}],
    }


@pytest.mark.cluster
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert(alert: Alert, tmp_path: Path) -> None:
    done = promtool.test_rules(
        tmp_path, *(_rule_test(case) for case in CASES if case.name == alert.name)
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_cases_that_fire_and_that_do_not(alert: Alert) -> None:
    fires = {bool(case.firing) for case in CASES if case.name == alert.name}
    assert fires == {True, False}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_a_runbook_of_the_same_shape(alert: Alert) -> None:
    folder = ROOT / "docs" / "runbooks"
    text = (folder / f"{alert.name}.md").read_text()
    headings = re.findall(r"^#+ .*", text, re.MULTILINE)
    assert headings == [
        f"# {alert.name}", "## Meaning", "## Impact", "## Diagnosis", "## Resolution",
    ]  # fmt: skip
    row = next(
        line for line in (folder / "README.md").read_text().splitlines() if alert.name in line
    )
    assert f"| {alert.severity} |" in row


def test_every_case_is_of_an_alert() -> None:
    assert {case.name for case in CASES} == set(BY_NAME)


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert pages == set(BY_NAME)


@pytest.mark.cluster
def test_recordings(tmp_path: Path) -> None:
    def counted(product: str, state: str, desired: str = "Disabled") -> str:
        labels = f'product="{product}",state="{state}",desired="{desired}",instance="a"'
        return f"fleet_telemetry_workloads{{{labels}}}"

    ratio, by_product, p99 = (recording.name for recording in RECORDINGS)
    series = {
        counted("emqx", "Compliant"): "3x10",
        counted("emqx", "Unknown"): "1x10",
        counted("emqx", "Exempt"): "5x10",
        counted("emqx", "Compliant", "Enabled"): "7x10",
        counted("sonarqube", "NonCompliant"): "4x10",
        counted("sonarqube", "Compliant"): "0x10",
        # Nothing is asked of it but to be left alone.
        counted("sourcegraph", "Exempt"): "1x10",
        counted("sourcegraph", "Compliant"): "0x10",
        'fleet_telemetry_admission_duration_seconds_bucket{path="mutate",le="0.01"}': "0+100x10",
        'fleet_telemetry_admission_duration_seconds_bucket{path="mutate",le="+Inf"}': "0+100x10",
    }
    expected: dict[str, list[dict[str, Any]]] = {
        ratio: [{"labels": f'{{__name__="{ratio}"}}', "value": 3 / 8}],
        by_product: [
            {"labels": f'{{__name__="{by_product}",product="emqx"}}', "value": 0.75},
            {"labels": f'{{__name__="{by_product}",product="sonarqube"}}', "value": 0},
        ],
        p99: [{"labels": f'{{__name__="{p99}",path="mutate"}}', "value": 0.0099}],
    }
    done = promtool.test_rules(
        tmp_path,
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": of} for name, of in series.items()],
            "promql_expr_test": [
                {"expr": name, "eval_time": "8m", "exp_samples": samples}
                for name, samples in expected.items()
            ],
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.cluster
def test_a_case_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    done = promtool.test_rules(
        tmp_path,
        {
            "interval": "1m",
            "input_series": [{"series": "up", "values": "1x20"}],
            "alert_rule_test": [{"eval_time": "10m", "alertname": NO_LEADER, "exp_alerts": []}],
        },
    )
    assert done.returncode == 1
