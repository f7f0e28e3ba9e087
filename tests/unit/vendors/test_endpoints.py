"""A product is asked at its own verified pods, at the port that a Service names; nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Scheme, ServiceReference
from fleet_telemetry.api.product.spec import AdapterName, Api
from fleet_telemetry.vendors.endpoints import EndpointError, find_endpoints, unreached
from fleet_telemetry.vendors.instances import Instance
from fleet_telemetry.vendors.service import Endpoint, Service, ServicePort
from fleet_telemetry.workloads.workload import Container, Pod, PodPhase, PodTemplate
from tests.support.depth import examples

HERE = "appsec"
API = Api(adapter=AdapterName.DEPENDENCY_TRACK, port=8080, port_names=("web", "http"))
LABELS = {"app": "dtrack"}
Ports = tuple[tuple[str, int], ...]


def instance(
    name: str = "dtrack-0",
    address: str = "10.1.0.1",
    *,
    ports: Ports = (),
    beside: Ports = (),
    labels: dict[str, str] = LABELS,
    init_ports: frozenset[int] = frozenset(),
) -> Instance:
    """A pod; ``beside`` are the ports of another container, which comes first."""
    other = Container(0, "helper", "helper:1", ports=beside)
    api = Container(1, "api", "dependencytrack/apiserver:5.0.4", ports=ports)
    template = PodTemplate((other, api), labels=labels, init_ports=init_ports)
    return Instance(Pod(name, template, address=address, phase=PodPhase.RUNNING), api)


def service(name: str = "dtrack", *ports: ServicePort, **changes: Any) -> Service:
    plain = Service(name, HERE, selector=LABELS, ports=ports or (ServicePort(80, "", 8080),))
    return replace(plain, **changes)


def find(
    *services: Service,
    instances: Iterable[Instance] = (instance(),),
    named: ServiceReference | None = None,
    per_pod: bool = False,
    api: Api = API,
) -> tuple[Endpoint, ...]:
    return find_endpoints(
        api,
        namespace=HERE,
        instances=tuple(instances),
        services=services,
        named=named,
        per_pod=per_pod,
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
            "no Service of the namespace leads to port 8080 of the product's container in the "
            "workload's pods; name one in spec.runtime.endpoints"
        )


def test_the_pod_is_dialled_and_asked_for_the_services_name() -> None:
    (found,) = find(service())
    assert found == Endpoint(
        "http", "10.1.0.1", 8080, "dtrack.appsec.svc", instance="dtrack-0", service_port=80
    )
    assert str(found) == "http://dtrack.appsec.svc:80"


@pytest.mark.parametrize(
    ("ports", "number"),
    [
        ([ServicePort(80, "", 8080)], 80),
        ([ServicePort(80, "x", "rest")], 80),
        ([ServicePort(9090, "metrics", 9090), ServicePort(81, "", 8080)], 81),
        # What leads to the very port is better than what is called so.
        ([ServicePort(80, "http", 3000), ServicePort(81, "api", 8080)], 81),
        ([ServicePort(80, "http", "metrics"), ServicePort(81, "api", 8080)], 81),
        ([ServicePort(80, "http", "metrics")], 80),
        # The Service's own number says nothing of where it leads.
        ([ServicePort(8080, "x", 9000)], None),
        # A name that the product's container does not have, or has for nothing of the API.
        ([ServicePort(80, "http", "web")], None),
        ([ServicePort(80, "x", "metrics")], None),
        # A port that the product's container does not declare.
        ([ServicePort(80, "http", 3000)], None),
        ([ServicePort(80, "", 3000)], None),
    ],
)
def test_a_port_is_known_by_the_containers_port_or_by_a_name(
    ports: list[ServicePort], number: int | None
) -> None:
    declared = [instance(ports=(("rest", 8080), ("metrics", 9000)))]
    if number is None:
        assert "leads to port 8080" in refused(service("dtrack", *ports), instances=declared)
    else:
        (found,) = find(service("dtrack", *ports), instances=declared)
        assert found.service_port == number


HELPERS = {
    "a name": (ServicePort(80, "http", "http"), {"beside": (("http", 9999),)}),
    "a number": (ServicePort(80, "http", 9999), {"beside": (("http", 9999),)}),
    "an undeclared number": (ServicePort(80, "http", 9999), {}),
    "the very port of the API": (ServicePort(80, "http", 8080), {"beside": (("", 8080),)}),
    "the port of the API, which both declare": (
        ServicePort(80, "http", 8080),
        {"ports": (("http", 8080),), "beside": (("", 8080),)},
    ),
    "a name for a port that both declare": (
        ServicePort(80, "http", "http"),
        {"ports": (("http", 9999),), "beside": (("", 9999),)},
    ),
    "that of a sidecar": (ServicePort(80, "http", 8080), {"init_ports": frozenset({8080})}),
}


@pytest.mark.parametrize(("port", "how"), HELPERS.values(), ids=HELPERS)
@pytest.mark.parametrize("named", [None, NAMED])
@pytest.mark.parametrize("per_pod", [False, True])
def test_a_port_of_another_container_is_not_asked(
    port: ServicePort, how: dict[str, Any], named: ServiceReference | None, per_pod: bool
) -> None:
    try:
        found = find(
            service("dtrack", port), instances=[instance(**how)], named=named, per_pod=per_pod
        )
    except EndpointError as error:
        if named is not None:
            assert "is no port of the product's container 'api'" in str(error)  # noqa: PT017
    else:
        # Without a Service, the API's own port, which is free.
        assert per_pod
        assert named is None
        assert [(one.port, one.service_port) for one in found] == [(8080, 0)]


@pytest.mark.parametrize("named", [None, NAMED])
@pytest.mark.parametrize(
    "other",
    [
        instance("dtrack-1", "10.1.0.2", ports=(("rest", 8080),)),
        instance("dtrack-1", "10.1.0.2", ports=(("http", 8080),), beside=(("", 8080),)),
    ],
    ids=["another name", "two containers"],
)
def test_a_pod_that_the_port_does_not_lead_to_is_not_left_out_without_a_word(
    other: Instance, named: ServiceReference | None
) -> None:
    both = [instance(ports=(("http", 8080),)), other]
    ways = service("dtrack", ServicePort(80, "", "http"))
    found = find(ways, instances=both, named=named, per_pod=True)
    assert [one.instance for one in found] == ["dtrack-0"]
    assert [one.pod for one in unreached(both, found)] == ["dtrack-1"]
    assert unreached(both[:1], found) == ()


def test_the_products_own_port_counts_where_another_container_has_one_of_the_same_name() -> None:
    both = instance(ports=(("http", 8080),), beside=(("http", 9999),))
    (found,) = find(service("dtrack", ServicePort(80, "http", "http")), instances=[both])
    assert found.port == 8080


def test_a_service_that_is_added_later_or_sorts_first_takes_no_ones_place() -> None:
    first = service("dtrack", created="2026-11-01T08:00:00Z")
    later = service("aaa", created="2026-11-02T08:00:00Z")
    for order in ((first, later), (later, first)):
        (found,) = find(*order)
        assert found.host == "dtrack.appsec.svc"
        assert found.address == "10.1.0.1"


def test_all_pods_that_the_service_selects_can_answer() -> None:
    pods = [
        instance("a", "10.1.0.1", labels={"app": "old"}),
        instance("b", "10.1.0.2"),
        instance("c", "10.1.0.3"),
    ]
    assert [(one.instance, one.address) for one in find(service(), instances=pods)] == [
        ("b", "10.1.0.2"),
        ("c", "10.1.0.3"),
    ]


def test_each_pod_is_asked_at_the_number_that_the_name_stands_for_there() -> None:
    pods = [
        instance("a", "10.1.0.1", ports=(("web", 9090),)),
        instance("b", "10.1.0.2", ports=(("web", 8080),)),
        instance("c", "10.1.0.3"),
    ]
    found = find(service("dtrack", ServicePort(80, "web", "web")), instances=pods)
    assert [(one.instance, one.port) for one in found] == [("a", 9090), ("b", 8080)]


@pytest.mark.parametrize("named", [None, NAMED])
def test_each_pod_is_asked_where_each_has_a_setting_of_its_own(
    named: ServiceReference | None,
) -> None:
    labels = {**LABELS, "statefulset.kubernetes.io/pod-name": "a"}
    pods = [instance("a", labels=labels), instance("b", "10.1.0.2")]
    # Also where a Service selects but one of them.
    for selector in (LABELS, labels):
        found = find(service(selector=selector), instances=pods, per_pod=True, named=named)
        assert [(one.instance, one.address, one.port) for one in found] == [
            ("a", "10.1.0.1", 8080),
            ("b", "10.1.0.2", 8080),
        ]
        assert {one.host for one in found} == {"dtrack.appsec.svc"}


def test_pods_are_asked_without_any_service() -> None:
    pods = [instance("a", "10.1.0.1"), instance("b", "10.1.0.2")]
    for others in ((), ELSEWHERE.values()):
        assert find(*others, instances=pods, per_pod=True) == (
            Endpoint("http", "10.1.0.1", 8080, "10.1.0.1", instance="a"),
            Endpoint("http", "10.1.0.2", 8080, "10.1.0.2", instance="b"),
        )


def test_a_named_service_is_asked_as_it_is_named() -> None:
    named = ServiceReference(name="b", port=443, scheme=Scheme.HTTPS, base_path="/track/")
    secure = service("b", ServicePort(80, "http", 8080), ServicePort(443, "", 8443))
    (found,) = find(service("a"), secure, named=named, instances=[instance(ports=(("", 8443),))])
    assert found == Endpoint(
        "https", "10.1.0.1", 8443, "b.appsec.svc", "/track", "dtrack-0", service_port=443
    )


def test_a_named_port_that_is_not_there_is_said_with_those_that_are() -> None:
    ports = ServicePort(80, "", 8080), ServicePort(443)
    named = ServiceReference(name="dtrack", port=8080)
    assert refused(service("dtrack", *ports), named=named) == (
        "spec.runtime.endpoints: the Service 'dtrack' has no port 8080, only 80, 443"
    )
    assert refused(service(ports=()), named=named).endswith("no port 8080, only none")


def test_a_named_port_that_leads_elsewhere_is_said_with_what_to_do() -> None:
    assert refused(service("dtrack", ServicePort(80, "", 8443)), named=NAMED) == (
        "spec.runtime.endpoints: port 80 of the Service 'dtrack' leads to 8443, which is no port of"
        " the product's container 'api' alone; declare it in the ports of that container only, or"
        " name another port"
    )


def test_a_named_service_that_does_not_help_is_not_replaced_by_another() -> None:
    assert "no Service 'missing'" in refused(
        service(), named=ServiceReference(name="missing", port=80)
    )


_labels = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
_declared = st.lists(
    st.tuples(st.sampled_from(["", "web", "http"]), st.sampled_from([8080, 3000])), max_size=2
).map(tuple)
_ports = st.lists(
    st.builds(
        ServicePort,
        st.sampled_from([80, 8080]),
        st.sampled_from(["", "web"]),
        st.sampled_from([8080, 3000, 9999, "web", "http"]),
    ),
    max_size=2,
).map(tuple)
_services = st.lists(
    st.builds(
        Service,
        name=st.sampled_from(["one", "two", "three"]),
        namespace=st.sampled_from([HERE, HERE, "other"]),
        created=st.sampled_from(["", "1", "2"]),
        selector=_labels,
        ports=_ports,
        external=st.sampled_from([False, False, True]),
    ),
    max_size=5,
    unique_by=lambda found: (found.namespace, found.name),
)
_instances = st.lists(
    st.builds(instance, labels=_labels, ports=_declared, beside=_declared),
    min_size=1,
    max_size=4,
).map(
    lambda all_: [
        replace(one, pod=replace(one.pod, name=f"p{number}", address=f"10.1.0.{number}"))
        for number, one in enumerate(all_)
    ]
)
_named = st.none() | st.builds(
    ServiceReference,
    name=st.sampled_from(["one", "two", "three", "four"]),
    port=st.sampled_from([80, 8080]),
    scheme=st.sampled_from(Scheme),
)


@examples(1000)
@given(services=_services, instances=_instances, named=_named, per_pod=st.booleans())
def test_a_credential_never_leads_elsewhere(
    services: list[Service],
    instances: list[Instance],
    named: ServiceReference | None,
    per_pod: bool,
) -> None:
    try:
        found = find(*services, instances=instances, named=named, per_pod=per_pod)
    except EndpointError:
        event("refused")
        return
    event("found")
    assert found
    by_name = {one.pod.name: one for one in instances}
    for one in found:
        # Said anew, without the code's own words.
        asked = by_name[one.instance]
        assert one.address == asked.pod.address
        helper, own = ({number for _, number in c.ports} for c in asked.pod.template.containers)
        assert one.port in own or (one.port == 8080 and one.port not in helper)
        if named is not None:
            assert (one.host, one.scheme) == (f"{named.name}.{HERE}.svc", named.scheme)
        else:
            assert one.scheme is Scheme.HTTP
    assert len({one.instance for one in found}) == len(found)
