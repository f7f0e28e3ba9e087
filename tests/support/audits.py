"""Results of audits: an ordinary one, and wild ones with whatever foreign text holds."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.workload_telemetry import (
    ChannelPolicy,
    EgressVerdict,
    ObservedVerdict,
    Sends,
    State,
)
from fleet_telemetry.audit.result import (
    Audit,
    Change,
    Coverage,
    Finding,
    HostName,
    Obstacle,
    Place,
    PolicyAdvice,
    Problem,
    Tool,
    UnknownImage,
    Unmanaged,
    in_order,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
_PLACE = Place(file="a.yaml", line=3)


def finding(
    name: str = "sonar",
    *,
    sends: Sends = Sends.YES,
    product: str = "sonarqube",
    channel: ChannelName = ChannelName.USAGE,
    place: Place = _PLACE,
    **fields: object,
) -> Finding:
    return Finding(
        **{  # type: ignore[arg-type]
            "place": place,
            "namespace": "appsec",
            "kind": "StatefulSet",
            "name": name,
            "product": product,
            "title": "SonarQube",
            "version": "26.7.0",
            "channel": channel,
            "sends": sends,
            "reason": "DefaultApplies",
            "message": "The default of this version applies.",
            "hosts": (HostName(host="telemetry.sonarsource.com"),),
            "remedy": "Set it off.",
            **fields,
        }
    )


def an_audit(*findings: Finding, **fields: object) -> Audit:
    return Audit(time=NOW, findings=in_order(findings), **fields)  # type: ignore[arg-type]


ordinary = an_audit(
    finding(),
    finding("other"),
    finding("emqx", sends=Sends.UNKNOWN, product="emqx", title="EMQX", remedy=""),
    finding("quiet", sends=Sends.NO),
    tool=Tool(version="1.2.3", catalogue="0123456789ab", products=167),
    coverage=Coverage(
        workloads=7,
        workloads_with_product=4,
        containers=9,
        containers_with_product=4,
        unknown_images=2,
    ),
    unknown_images=(
        UnknownImage(image="docker.io/library/nginx", containers=4),
        UnknownImage(image="internal.test/shop", containers=1),
    ),
    unmanaged=(
        Unmanaged(
            place=Place(file="b.yaml", line=9),
            namespace="appsec",
            kind="Pod",
            name="bare",
            products=("emqx",),
            images=("emqx/emqx:5.8.9",),
            advice="Let a Deployment own it.",
        ),
    ),
    policy_advice=(
        PolicyAdvice(
            place=Place(file="p.yaml", line=4),
            policy=ChannelPolicy(kind="ClusterTelemetryPolicy", name="opt-out"),
            message="spec.products: nothing runs it.",
        ),
    ),
    problems=(
        Problem(place=Place(file="bad.yaml", line=12), what="A tab indents.", advice="Use spaces."),
    ),
)

NASTY = (
    "",
    " ",
    "-",
    "a\x00b",
    "\x1b[31mred\x1b]0;title\x07",
    "line\r\nbreak\u2028\u2029\x85",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "\ud800",
    "\udcff",
    "\ufffe\uffff",
    "]]><!--",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\" onmouseover='alert(1)' x=\"",
    "&amp;&#0;&nbsp",
    '=cmd|"/C calc"!A0',
    "+1",
    "@SUM(A1)",
    "\t=1",
    "\uff1d1",
    "a|b`c``d",
    "](https://evil.test) ![x](https://evil.test/x.png)",
    "https://evil.test www.evil.test WWW.evil.test mailto:a@evil.test a@evil.test :tada:",
    "@everyone #1 !2 ~x~ **b** __u__ <b>",
    "{0} [a](1) \\",
    "1. x",
    "日本語のワークロード",
    "👩\u200d👩\u200d👧 e\u0301\u0301\u0301",
    "x" * 5000,
    "😀" * 3000,
    "Yes",
    "null",
    "../../etc/passwd",
    "/abs/olute file?#%.yaml",
    "c:\\x:y.yaml",
)

wild_texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.tuples(st.sampled_from(NASTY), st.sampled_from(NASTY)).map("".join),
)
_places = st.builds(
    Place,
    cluster=wild_texts,
    context=st.none() | wild_texts,
    file=wild_texts,
    line=st.integers(min_value=0, max_value=10**6),
)
_hosts = st.builds(
    HostName,
    host=wild_texts,
    port=st.integers(min_value=1, max_value=65535),
    sent_by_browser=st.booleans(),
    also_serves=wild_texts,
)
_changes = st.builds(Change, container=wild_texts, entry=wild_texts, removed=st.booleans())
_policies = st.builds(
    ChannelPolicy, kind=wild_texts, namespace=st.none() | wild_texts, name=wild_texts
)
_findings = st.builds(
    Finding,
    place=_places,
    namespace=wild_texts,
    kind=wild_texts,
    name=wild_texts,
    product=wild_texts,
    title=wild_texts,
    version=wild_texts,
    channel=st.sampled_from(ChannelName),
    sends=st.sampled_from(Sends),
    reason=wild_texts,
    message=wild_texts,
    policy=st.none() | _policies,
    desired=st.none() | st.sampled_from(Submission),
    state=st.none() | st.sampled_from(State),
    state_reason=wild_texts,
    state_message=wild_texts,
    declared=st.sampled_from(Setting),
    running=st.sampled_from(Setting),
    reported=st.sampled_from(Setting),
    egress=st.sampled_from(EgressVerdict),
    observed=st.sampled_from(ObservedVerdict),
    observed_reason=wild_texts,
    observed_message=wild_texts,
    provenance=st.none() | st.sampled_from(Provenance),
    hosts=st.lists(_hosts, max_size=3).map(tuple),
    remedy=wild_texts,
    changes=st.lists(_changes, max_size=2).map(tuple),
    obstacles=st.lists(
        st.builds(Obstacle, container=wild_texts, entry=wild_texts, message=wild_texts), max_size=2
    ).map(tuple),
)
_numbers = st.integers(min_value=0, max_value=10**9)
wild_audits = st.builds(
    Audit,
    time=st.datetimes(timezones=st.none() | st.just(UTC)),
    tool=st.builds(Tool, version=wild_texts, catalogue=wild_texts, products=_numbers),
    judged=st.booleans(),
    coverage=st.builds(
        Coverage,
        workloads=_numbers,
        workloads_with_product=_numbers,
        containers=_numbers,
        containers_with_product=_numbers,
        unknown_images=_numbers,
        not_objects=_numbers,
    ),
    findings=st.lists(_findings, max_size=6).map(in_order),
    unmanaged=st.lists(
        st.builds(
            Unmanaged,
            place=_places,
            namespace=wild_texts,
            kind=wild_texts,
            name=wild_texts,
            products=st.lists(wild_texts, max_size=2).map(tuple),
            images=st.lists(wild_texts, max_size=2).map(tuple),
            advice=wild_texts,
        ),
        max_size=2,
    ).map(tuple),
    unknown_images=st.lists(
        st.builds(UnknownImage, image=wild_texts, containers=_numbers), max_size=30
    ).map(tuple),
    policy_advice=st.lists(
        st.builds(PolicyAdvice, place=_places, policy=_policies, message=wild_texts), max_size=3
    ).map(tuple),
    problems=st.lists(
        st.builds(Problem, place=_places, what=wild_texts, advice=wild_texts), max_size=3
    ).map(tuple),
)


def many(number: int, *, distinct: bool = False) -> Audit:
    """An audit of so many findings, over a hundred namespaces."""
    return an_audit(
        *(
            finding(
                f"workload-{at}",
                sends=list(Sends)[at % 3],
                namespace=f"team-{at % 100}",
                message=f"Reason {at}." if distinct else "The default of this version applies.",
            )
            for at in range(number)
        ),
        coverage=Coverage(workloads=number, workloads_with_product=number, containers=number),
    )
