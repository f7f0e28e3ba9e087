"""A product is asked at a Service that leads to its own pods, or at those pods; nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Scheme, ServiceReference
from fleet_telemetry.api.product import AdapterName, Api
from fleet_telemetry.vendors.endpoints import EndpointError, find_endpoints
from fleet_telemetry.vendors.service import Endpoint, Service, ServicePort
from fleet_telemetry.workloads.workload import Container, Pod, PodPhase, PodTemplate
from tests.support.depth import examples

HERE = "appsec"
API = Api(adapter=AdapterName.DEPENDENCY_TRACK, port=8080, port_names=("web", "http"))
LABELS = {"app": "dtrack"}


def pod(name: str = "dtrack-0", address: str = "10.1.0.1", **changes: Any) -> Pod:
    plain = Pod(name, PodTemplate((), labels=LABELS), address=address, phase=PodPhase.RUNNING)
    return replace(plain, **changes)


def service(name: str = "dtrack", *ports: ServicePort, **changes: Any) -> Service:
    plain = Service(
        name, HERE, address="10.0.0.7", selector=LABELS, ports=ports or (ServicePort(80, "", 8080),)
    )
    return replace(plain, **changes)


def find(
    *services: Service,
    pods: Iterable[Pod] = (pod(),),
    named: ServiceReference | None = None,
    per_pod: bool = False,
    api: Api = API,
) -> tuple[Endpoint, ...]:
    return find_endpoints(
        api, namespace=HERE, pods=pods, services=services, named=named, per_pod=per_pod
    )


def refused(*services: Service, **how: Any) -> str:
    with pytest.raises(EndpointError) as raised:
        find(*services, **how)
    return str(raised.value)


NAMED = ServiceReference(name="dtrack", port=80)
ELSEWHERE = {
    "without a selector": service(selector={}),
    "a name of something outside": service(external=True),
    "of another namespace": service(namespace="other"),
    "of other pods": service(selector={"app": "other"}),
    "of fewer pods": service(selector={**LABELS, "tier": "front"}),
}


@pytest.mark.parametrize("named", [None, NAMED])
@pytest.mark.parametrize("other", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_service_that_leads_elsewhere_is_no_endpoint(
    other: Service, named: ServiceReference | None
) -> None:
    message = refused(other, named=named)
    if named:
        assert message == (
            "spec.runtime.endpoints: no Service 'dtrack' of the namespace appsec selects the "
            "workload's pods"
        )
    else:
        assert message == (
            "no Service of the namespace leads to port 8080 of the workload's pods; name one in "
            "spec.runtime.endpoints"
        )


def test_the_services_own_address_is_asked_for_its_name() -> None:
    (found,) = find(service())
    assert found == Endpoint("http", "10.0.0.7", 80, "dtrack.appsec.svc")


@pytest.mark.parametrize(
    ("ports", "number"),
    [
        ([ServicePort(80, "", 8080)], 80),
        ([ServicePort(80, "x", "web")], 80),
        ([ServicePort(80, "http", 3000)], 80),
        ([ServicePort(9090, "metrics", 9090), ServicePort(81, "", 8080)], 81),
        # What leads to the very port is better than what is called so.
        ([ServicePort(80, "http", 3000), ServicePort(81, "api", 8080)], 81),
        # The Service's own number says nothing of where it leads.
        ([ServicePort(8080, "x", 3000)], None),
        ([ServicePort(80, "metrics", "metrics")], None),
        # Also where there is no other.
        ([ServicePort(80, "", 3000)], None),
    ],
)
def test_a_port_is_known_by_the_containers_port_or_by_a_name(
    ports: list[ServicePort], number: int | None
) -> None:
    if number is None:
        assert "leads to port 8080" in refused(service("dtrack", *ports))
    else:
        (found,) = find(service("dtrack", *ports))
        assert found.port == number


def test_a_service_with_an_address_is_preferred_then_the_first_by_name() -> None:
    headless = service("a", address="")
    one, two = service("c", address="10.0.0.3"), service("b", address="10.0.0.2")
    without_port = service("aa", ServicePort(1, "x", 1))
    (found,) = find(headless, one, without_port, two)
    assert found.address == "10.0.0.2"


def test_a_headless_service_leads_to_one_of_its_pods() -> None:
    pods = [
        pod("a", "10.1.0.1", template=PodTemplate((), labels={"app": "old"})),
        pod("b", "10.1.0.2"),
        pod("c", "10.1.0.3"),
    ]
    (found,) = find(service(address=""), pods=pods)
    # The container's port: nobody translates it on the way to a pod.
    assert found == Endpoint("http", "10.1.0.2", 8080, "dtrack.appsec.svc", instance="b")


def test_a_port_of_a_container_is_found_by_its_name() -> None:
    def with_ports(*ports: tuple[str, int]) -> Pod:
        shown = Container(0, "api", "dependencytrack/apiserver:5.0.4", ports=ports)
        return pod(template=PodTemplate((shown,), labels=LABELS))

    # By the number that the name stands for, whatever it is called.
    (found,) = find(
        service("dtrack", ServicePort(80, "x", "metrics"), ServicePort(81, "y", "rest")),
        pods=[with_ports(("metrics", 9000), ("rest", 8080))],
    )
    assert found.port == 81
    # Where a name tells, the pod is asked at the number that stands for it there.
    headless = service("dtrack", ServicePort(80, "web", "web"), address="")
    for ports, number in (((("web", 9090),), 9090), ((), 8080)):
        (found,) = find(headless, pods=[with_ports(*ports)])
        assert found.port == number


def test_each_pod_is_asked_where_each_has_a_setting_of_its_own() -> None:
    pods = [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")]
    for address in ("10.0.0.7", ""):
        found = find(service(address=address), pods=pods, per_pod=True)
        assert [(one.instance, one.address, one.port) for one in found] == [
            ("a", "10.1.0.1", 8080),
            ("b", "10.1.0.2", 8080),
        ]
        assert {one.host for one in found} == {"dtrack.appsec.svc"}


def test_each_pod_is_asked_also_where_a_service_selects_but_one_of_them() -> None:
    labels = {**LABELS, "statefulset.kubernetes.io/pod-name": "a"}
    pods = [pod("a", template=PodTemplate((), labels=labels)), pod("b", "10.1.0.2")]
    for named in (None, NAMED):
        found = find(service(selector=labels), pods=pods, per_pod=True, named=named)
        assert [one.instance for one in found] == ["a", "b"]


def test_pods_are_asked_without_any_service() -> None:
    pods = [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")]
    for others in ((), ELSEWHERE.values()):
        assert find(*others, pods=pods, per_pod=True) == (
            Endpoint("http", "10.1.0.1", 8080, "10.1.0.1", instance="a"),
            Endpoint("http", "10.1.0.2", 8080, "10.1.0.2", instance="b"),
        )


@pytest.mark.parametrize(
    "gone",
    [
        pod(address=""),
        # Its address may be another pod's by now. Those of a Job are still counted.
        pod(phase=PodPhase.SUCCEEDED),
        pod(phase=PodPhase.FAILED),
        pod(terminating=True),
    ],
    ids=["no address", "succeeded", "failed", "terminating"],
)
@pytest.mark.parametrize("per_pod", [False, True])
def test_a_pod_that_does_not_run_is_not_asked(gone: Pod, per_pod: bool) -> None:
    message = refused(service(), pods=[gone], per_pod=per_pod)
    assert message == "no pod of the workload has an address yet"
    found = find(service(address=""), pods=[gone, pod("b", "10.1.0.2")], per_pod=per_pod)
    assert [one.address for one in found] == ["10.1.0.2"]


def test_a_named_service_is_asked_as_it_is_named() -> None:
    named = ServiceReference(name="b", port=443, scheme=Scheme.HTTPS, base_path="/track/")
    secure = service("b", ServicePort(80, "http", 8080), ServicePort(443, "", 8443))
    (found,) = find(service("a"), secure, named=named)
    assert found == Endpoint("https", "10.0.0.7", 443, "b.appsec.svc", "/track")
    (found,) = find(service("a"), replace(secure, address=""), named=named)
    assert found == Endpoint("https", "10.1.0.1", 8443, "b.appsec.svc", "/track", "dtrack-0")


def test_a_named_port_that_is_not_there_is_said_with_those_that_are() -> None:
    ports = ServicePort(80, "", 8080), ServicePort(443)
    named = ServiceReference(name="dtrack", port=8080)
    assert refused(service("dtrack", *ports), named=named) == (
        "spec.runtime.endpoints: the Service 'dtrack' has no port 8080, only 80, 443"
    )
    assert refused(service(ports=()), named=named).endswith("no port 8080, only none")


def test_a_named_service_that_does_not_help_is_not_replaced_by_another() -> None:
    assert "no Service 'missing'" in refused(
        service(), named=ServiceReference(name="missing", port=80)
    )


_labels = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
_ports = st.lists(
    st.builds(
        ServicePort,
        st.sampled_from([80, 8080]),
        st.sampled_from(["", "web"]),
        st.sampled_from([8080, 3000, "web"]),
    ),
    max_size=2,
).map(tuple)
_services = st.lists(
    st.builds(
        Service,
        name=st.sampled_from(["one", "two", "three"]),
        namespace=st.sampled_from([HERE, HERE, "other"]),
        address=st.sampled_from(["", "s"]),
        selector=_labels,
        ports=_ports,
        external=st.sampled_from([False, False, True]),
    ),
    max_size=5,
    unique_by=lambda found: (found.namespace, found.name),
).map(
    lambda all_: [
        replace(found, address=found.address and f"10.0.0.{number}")
        for number, found in enumerate(all_)
    ]
)
_pods = st.lists(
    st.builds(
        Pod,
        name=st.just(""),
        template=st.builds(PodTemplate, st.just(()), labels=_labels),
        address=st.sampled_from(["p", "p", ""]),
        phase=st.sampled_from(list(PodPhase)),
        terminating=st.sampled_from([False, False, True]),
    ),
    max_size=4,
).map(
    lambda all_: [
        replace(found, name=f"p{number}", address=found.address and f"10.1.0.{number}")
        for number, found in enumerate(all_)
    ]
)
_named = st.none() | st.builds(
    ServiceReference,
    name=st.sampled_from(["one", "two", "three", "four"]),
    port=st.sampled_from([80, 8080]),
    scheme=st.sampled_from(Scheme),
)


@examples(1000)
@given(services=_services, pods=_pods, named=_named, per_pod=st.booleans())
def test_a_credential_never_leads_elsewhere(
    services: list[Service], pods: list[Pod], named: ServiceReference | None, per_pod: bool
) -> None:
    try:
        found = find(*services, pods=pods, named=named, per_pod=per_pod)
    except EndpointError:
        event("refused")
        return
    event("found")
    # Said anew, without the code's own words.
    living = [
        one
        for one in pods
        if one.address
        and not one.terminating
        and one.phase not in (PodPhase.SUCCEEDED, PodPhase.FAILED)
    ]
    leading = {
        one.address
        for one in services
        if one.namespace == HERE
        and not one.external
        and one.selector
        and any(one.selector.items() <= each.template.labels.items() for each in living)
        and (named is None or one.name == named.name)
    } - {""}
    address_of = {one.name: one.address for one in living}
    assert found
    for one in found:
        if one.instance:
            assert one.address == address_of[one.instance]
        else:
            assert one.address in leading
    if per_pod:
        assert [one.instance for one in found] == [one.name for one in living]
    else:
        assert len(found) == 1
    if named is not None:
        assert {(one.host, one.scheme) for one in found} == {
            (f"{named.name}.{HERE}.svc", named.scheme)
        }
