"""What NetworkPolicies do together, held against Cyclonus, which knows nothing of this project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path
from random import Random

import pytest

from dev.cluster import ensure
from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.model import Reachable
from fleet_telemetry.egress.network_policies import read_network_policy
from fleet_telemetry.egress.reachability import AddressCoverage
from tests.support.cyclonus import Answer, Case, Question, ask
from tests.support.depth import HUNT
from tests.support.network_policies import (
    ADDRESSES,
    POD_LABELS,
    PORTS,
    SMALL_RANGE,
    Labels,
    Manifest,
    allow_all_except,
    allow_only,
    block,
    internet_only,
    isolate,
    network_policy,
    open_by_value,
    singles,
    sonarqube_chart,
    wild_policies,
)
from tests.support.reach import isolators, reach
from tests.support.rendered_policies import rendered_policy
from tests.support.vendor_charts import (
    VENDOR_MANIFESTS,
    needs_vendor_manifests,
    vendor_manifests,
)

pytestmark = pytest.mark.cluster

NONE, SOME, ALL = AddressCoverage
CASES = 300 * max(HUNT, 1)


Ask = Callable[[Sequence[Case]], list[list[Answer]]]


@pytest.fixture(scope="module")
def program() -> Path:
    return ensure(["cyclonus"])["cyclonus"]


@pytest.fixture
def cyclonus(program: Path, tmp_path: Path) -> Ask:
    return lambda cases: ask(program, tmp_path, cases)


def ours(case: Case) -> list[Answer]:
    """What the code says to the questions of a case, in the same words."""
    policies = [read_network_policy(policy) for policy in case.policies]
    isolated = bool(isolators(policies, case.labels))
    answers = []
    for address, port, protocol in case.questions:
        found = reach(policies, case.labels, singles([address]), port, protocol)
        # Nothing here is unreadable, and one address is reached or not.
        assert found.coverage is found.certain
        assert found.coverage is not SOME
        assert found.isolated is isolated
        by = tuple(policy.name for policy in found.culprits)
        answers.append(Answer(found.coverage is ALL, isolated, by))
    return answers


def agree(cyclonus: Ask, cases: Sequence[Case]) -> list[list[Answer]]:
    """Every destination of every case is asked for; returns what Cyclonus says."""
    said = cyclonus(cases)
    for case, answers in zip(cases, said, strict=True):
        differences = [
            (question, our, their)
            for question, our, their in zip(case.questions, ours(case), answers, strict=True)
            if our != their
        ]
        assert not differences, (case.policies, case.labels)
    return said


def _knows(policies: Sequence[Manifest], labels: Labels) -> bool:
    """Whether Cyclonus judges these selectors as Kubernetes does; see the tests of its limits."""
    return not any(
        one["operator"] == "NotIn" and one["key"] not in labels
        for policy in policies
        for one in policy["spec"]["podSelector"].get("matchExpressions", [])
    )


def _table(random: Random) -> list[Question]:
    """Every address on the port that matters, and on two others."""
    ports = (PORTS[0], *random.sample(PORTS[1:], 2))
    return [(address, *port) for address in (*ADDRESSES, *SMALL_RANGE) for port in ports]


def test_it_agrees_on_hundreds_of_generated_namespaces(cyclonus: Ask) -> None:
    random = Random(20)
    cases: list[Case] = []
    while len(cases) < CASES:
        policies, labels = wild_policies(random), random.choice(POD_LABELS)
        if _knows(policies, labels):
            cases.append(Case(policies, labels, _table(random)))
    said = agree(cyclonus, cases)
    # The generator is worth something: there is enough of everything.
    counts = Counter(
        (answer.reached, answer.isolated, min(len(answer.by), 2))
        for answers in said
        for answer in answers
    )
    # Open; denied; let through by one policy, and by several.
    expected = {(True, False, 0), (False, True, 0), (True, True, 1), (True, True, 2)}
    assert set(counts) == expected
    assert min(counts.values()) > counts.total() / 20
    # And what is said of a range is what Cyclonus says of each of its addresses.
    ranges = set()
    for case, answers in zip(cases, said, strict=True):
        each = {
            answer.reached
            for (address, port, protocol), answer in zip(case.questions, answers, strict=True)
            if (port, protocol) == PORTS[0] and address in SMALL_RANGE
        }
        coverage = SOME if len(each) == 2 else ALL if each == {True} else NONE
        read = [read_network_policy(policy) for policy in case.policies]
        assert reach(read, case.labels, [SMALL_RANGE], *PORTS[0]).coverage is coverage
        ranges.add(coverage)
    assert ranges == {NONE, SOME, ALL}


HOSTS = ["34.107.157.31/32", "104.16.0.0/13", "2606:4700::6810:7c/128"]
SHAPES = {
    "nothing": [],
    "nothing for egress": [
        network_policy("ingress", policyTypes=["Ingress"], egress=None, ingress=[{}])
    ],
    "deny": [allow_all_except("deny", HOSTS)],
    "deny IPv4": [allow_all_except("deny", HOSTS[:2])],
    "allow beside nothing": [allow_only("allow", HOSTS)],
    "allow beside default-deny": [allow_only("allow", HOSTS), network_policy("default-deny")],
    "isolate": [isolate("isolate", HOSTS)],
    "isolate from all": [isolate("isolate", [])],
    "deny and isolate": [allow_all_except("deny", HOSTS), isolate("isolate", ["8.8.8.8/32"])],
    "SonarQube's chart": [sonarqube_chart()],
    "SonarQube's chart and deny": [sonarqube_chart(), allow_all_except("deny", HOSTS)],
    "SonarQube's chart and isolate": [sonarqube_chart(), isolate("isolate", HOSTS)],
    "a chart with an open egress, and deny": [
        open_by_value(open_egress=True),
        allow_all_except("deny", HOSTS),
    ],
    "a chart with a closed egress": [open_by_value(open_egress=False)],
    "a chart with a closed egress, and allow": [
        open_by_value(open_egress=False),
        allow_only("allow", HOSTS),
    ],
    "internet only": [internet_only()],
    "internet only and deny": [internet_only(), allow_all_except("deny", HOSTS)],
    "policyTypes left out": [network_policy("a", {"to": [block("0.0.0.0/1")]}, policyTypes=None)],
    "policyTypes and egress left out": [network_policy("a", policyTypes=None, egress=None)],
    "an empty list of peers": [network_policy("a", {"to": [], "ports": [{"port": 443}]})],
    "an empty list of ports": [network_policy("a", {"to": [block("34.0.0.0/8")], "ports": []})],
    "an empty rule": [network_policy("a", {})],
    "a rule to pods": [network_policy("a", {"to": [{"podSelector": {}}]})],
    "a port by name": [network_policy("a", {"ports": [{"port": "https"}]})],
    "a protocol without a port": [network_policy("a", {"ports": [{"protocol": "UDP"}]})],
    "a range of ports": [network_policy("a", {"ports": [{"port": 80, "endPort": 443}]})],
    "many exceptions": [
        allow_all_except("deny", [f"34.107.{number}.0/24" for number in range(0, 256, 2)])
    ],
    "exceptions inside of exceptions": [
        network_policy(
            "a", {"to": [block("0.0.0.0/0", "34.0.0.0/8", "34.107.157.30/31", "34.107.0.0/16")]}
        )
    ],
}

_DENY = rendered_policy(EgressAction.DENY, *HOSTS)
_ALLOW = rendered_policy(EgressAction.ALLOW, *HOSTS)
_REACHABLE = (
    Reachable(cidr=ip_network("34.0.0.0/8"), ports=(("TCP", 443), ("UDP", 443))),
    Reachable(namespace_selector={}),
)
WRITTEN = {
    "deny": [_DENY],
    "deny beside SonarQube's chart": [_DENY, sonarqube_chart()],
    "deny beside what isolates": [_DENY, network_policy("default-deny")],
    "allow": [_ALLOW],
    "allow beside what isolates": [_ALLOW, network_policy("default-deny")],
    "allow of one family": [
        rendered_policy(EgressAction.ALLOW, *HOSTS, families=frozenset({AddressFamily.IPV4}))
    ],
    "isolate": [rendered_policy(EgressAction.ISOLATE, *HOSTS)],
    "isolate from all": [rendered_policy(EgressAction.ISOLATE)],
    "isolate but for a list": [rendered_policy(EgressAction.ISOLATE, reachable=_REACHABLE)],
    "isolate and deny": [rendered_policy(EgressAction.ISOLATE, "8.8.8.8/32"), _DENY],
}
SHAPES |= {f"written: {name}": policies for name, policies in WRITTEN.items()}


@pytest.mark.parametrize("policies", SHAPES.values(), ids=SHAPES)
def test_it_agrees_on_what_is_written_and_on_what_is_common(
    policies: list[Manifest], cyclonus: Ask
) -> None:
    questions = [(address, *port) for address in ADDRESSES for port in (*PORTS, (53, "UDP"))]
    agree(
        cyclonus,
        [Case(policies, labels, questions) for labels in ({"app": "sonarqube"}, {"app": "web"})],
    )


@needs_vendor_manifests
def test_it_agrees_on_the_policies_of_vendors_charts(cyclonus: Ask) -> None:
    manifests = vendor_manifests()
    theirs = [manifest for manifest in manifests if manifest.get("kind") == "NetworkPolicy"]
    if not theirs:
        pytest.skip(f"the rendered vendor charts in {VENDOR_MANIFESTS} have no NetworkPolicy")
    pods = [
        manifest["spec"]["template"]["metadata"]["labels"]
        for manifest in manifests
        if manifest.get("kind") in {"Deployment", "StatefulSet"}
    ]
    questions = [(address, *port) for address in ADDRESSES for port in PORTS]
    deny = allow_all_except("deny", HOSTS)
    agree(
        cyclonus,
        [
            Case(policies, labels, questions)
            for labels in pods
            for policies in (theirs, [*theirs, deny])
            if _knows(policies, labels)
        ],
    )


# Where Cyclonus v0.5.6 does otherwise than Kubernetes says. The code goes by Kubernetes.

HOST = (ADDRESSES[0], 443, "TCP")


def test_limit_of_cyclonus_not_in_of_a_label_that_is_absent(cyclonus: Ask) -> None:
    """Kubernetes: "NotIn" is true as well of an object that does not have the label (concepts,
    labels and selectors; apimachinery/pkg/labels/selector.go, Requirement.Matches, at v0.36.3).
    Cyclonus: pkg/kube/labelselector.go, "even for NotIn -- if the key isn't there, it's not a
    match"."""
    selector = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]}
    policy = network_policy("deny", pods=selector)
    absent = Case([policy], {}, [HOST])
    assert cyclonus([absent]) == [[Answer(True, False, ())]]
    assert ours(absent) == [Answer(False, True, ())]
    # With the label they agree.
    agree(cyclonus, [Case([policy], {"app": app}, [HOST]) for app in ("db", "web")])


def test_limit_of_cyclonus_an_empty_value_of_a_label_that_is_absent(cyclonus: Ask) -> None:
    """Kubernetes: matchLabels is "In" with one value, and "In" wants the label to be there (as
    above). Cyclonus: an absent key of a Go map reads as the empty string."""
    policy = network_policy("deny", pods={"matchLabels": {"app": ""}})
    absent = Case([policy], {}, [HOST])
    assert cyclonus([absent]) == [[Answer(False, True, ())]]
    assert ours(absent) == [Answer(True, False, ())]
    agree(cyclonus, [Case([policy], {"app": app}, [HOST]) for app in ("", "web")])


def test_limit_of_cyclonus_mapped_addresses_are_of_one_family_to_go_only(cyclonus: Ask) -> None:
    """Kubernetes refuses such a block since 1.36 (ValidateIPBlock at v1.36.3, the feature gate
    StrictIPCIDRValidation); older objects may have one, and it does what the network plug-in takes
    it for. Cyclonus: Go's net.IPNet takes it for IPv4. The code: it may be anything."""
    policy = network_policy("odd", {"to": [block("::ffff:34.0.0.0/104")]})
    assert cyclonus([Case([policy], {}, [HOST])]) == [[Answer(True, True, ("odd",))]]
    found = reach([read_network_policy(policy)], {}, [ip_network("34.107.157.31/32")], 443)
    assert (found.coverage, found.certain) == (ALL, NONE)
