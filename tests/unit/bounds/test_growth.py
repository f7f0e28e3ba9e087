"""Four times the input takes about four times the steps: no parser of foreign bytes is quadratic.

What C does in one step is linear: ``str`` methods, ``json``, and the expressions that
``test_regular_expressions.py`` judges.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from dataclasses import replace

import dns.message
import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.admission.request_body import BodyReader
from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.workload_telemetry import InjectedVariable
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.glob import glob_matches, heads_matched
from fleet_telemetry.catalogue.image import LONGEST, ImageReference
from fleet_telemetry.catalogue.marks import find_mark_problems
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.catalogue.tag_template import match_template
from fleet_telemetry.catalogue.version import VersionRanges, VersionSpan
from fleet_telemetry.decision import decide
from fleet_telemetry.egress.dns.client import _read
from fleet_telemetry.egress.published_ranges import CLOUDFLARE, parse
from fleet_telemetry.evidence.checks import read_interval
from fleet_telemetry.linting.lint import lint
from fleet_telemetry.observed.frame_streams import (
    CONTENT_TYPE,
    Control,
    FrameStream,
    control_frame,
)
from fleet_telemetry.observed.question import read_question
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.start import doubt_of_start
from fleet_telemetry.vendors import jsonc
from fleet_telemetry.vendors.inventory import names_of
from fleet_telemetry.workloads.reading import read_pod, read_workload
from tests.support.builders import (
    SONAR_SWITCH,
    SONARQUBE,
    container,
    manifest,
    pod_of,
    policy,
    under,
    workload,
)
from tests.support.every import every
from tests.support.steps import steps_of

Parser = Callable[[int], Callable[[], object]]
"""Given a size, what to call."""


def _text(read: Callable[[str], object], *, head: str = "", part: str, tail: str = "") -> Parser:
    return lambda size: lambda: read(head + part * (size // len(part)) + tail)


def _with_managed_fields(size: int) -> Callable[[], object]:
    variables = {f'k:{{"name":"V{n}"}}': {".": {}} for n in range(size // 30)}
    containers = {'k:{"name":"c"}': {"f:env": variables}}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}}
    metadata = {"name": "w", "managedFields": [{"manager": "helm", "fieldsV1": fields}]}
    return lambda: read_workload({"kind": "Deployment", "metadata": metadata, "spec": {}})


def _brought_back(size: int) -> Callable[[], object]:
    """Variables that a tool wrote back, of which the last applied manifest has each."""
    names = [f"V{n}" for n in range(size // 60)]
    variables = {f'k:{{"name":"{name}"}}': {".": {}} for name in names}
    fields = {"f:containers": {'k:{"name":"c"}': {"f:env": variables}}}
    applied = {"containers": [{"name": "c", "env": [{"name": name} for name in names]}]}
    last = json.dumps({"spec": {"template": {"spec": applied}}})
    managed = {
        "manager": "kubectl",
        "operation": "Update",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": fields}}},
    }
    metadata = {
        "name": "w",
        "managedFields": [managed],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last},
    }
    return lambda: read_workload({"kind": "Deployment", "metadata": metadata, "spec": {}})


def _with_containers(size: int) -> Callable[[], object]:
    containers = [
        {"name": f"c{n}", "image": "a/b:1", "env": [{"name": "A", "value": "b"}]}
        for n in range(size // 60)
    ]
    return lambda: read_pod({"kind": "Pod", "spec": {"containers": containers}})


def _ranges(size: int) -> Callable[[], object]:
    cidrs = [f"104.{n % 256}.0.0/16" for n in range(size // 16)]
    result = {"ipv4_cidrs": cidrs, "ipv6_cidrs": ["2400:cb00::/32"]}
    body = json.dumps({"success": True, "result": result}).encode()
    return lambda: parse(CLOUDFLARE, body)


def _set(text: str) -> str:
    return jsonc.set_string(text, "update.channel", "none")


def _lint(text: str) -> object:
    return lint({"a.yaml": text.encode()})


def _match(image: str) -> object:
    return builtin().match_image(image, "c")


def _words(*words: str) -> Parser:
    """The start of a container with these words again and again."""

    def parser(size: int) -> Callable[[], object]:
        container = {"name": "c", "image": "sonarqube:26.7.0", "args": [*words] * (size // 8)}
        pod = {"kind": "Pod", "spec": {"containers": [container]}}
        (target,) = match_containers(read_pod(pod).template, builtin())
        return lambda: doubt_of_start(target)

    return parser


def _dns(record: bytes, section: int) -> Parser:
    """A response with this record again and again."""

    def parser(size: int) -> Callable[[], object]:
        query = dns.message.make_query("a.example", "A")
        wire = query.to_wire()
        question = wire[12 : 12 + len(b"\x01a\x07example\x00") + 4]
        counts = [1, 0, 0, 0]
        counts[section] = size // len(record)
        head = struct.pack("!HHHHHH", query.id, 0x8180, *counts)
        return lambda: _read(head + question + record * counts[section], query)

    return parser


def _frames(frame: bytes) -> Parser:
    """A stream of dnstap in which all is there at once."""

    def parser(size: int) -> Callable[[], object]:
        stream = FrameStream()
        stream.append(control_frame(Control.START, CONTENT_TYPE) + frame * (size // len(frame)))

        def read() -> None:
            while stream.next_frame() is not None:
                pass

        return read

    return parser


PATTERNS = ["a/b", "b", "*", "?", "a/*", "*/b", "b*", "a*/b", "a/b/c", "c", "/b", "b/"]
IMAGES = [
    "b",
    "a/b",
    "x/a/b:1",
    "c",
    "a/b/c@sha256:0",
    "r.io:5000/b:1",
    "bb",
    "aa/b",
    "",
    "/",
    "a/",
]

PARSERS: dict[str, Parser] = {
    # The text of 48 kB that stopped the event loop for 12 s, and its kind.
    "comments that do not end": _text(jsonc.loads, head="{", part="/*"),
    "strings that do not end": _text(jsonc.loads, head='{"a": "', part='\\"'),
    "a comment at each end": _text(jsonc.loads, head="{", part="/**/", tail="}"),
    "comments of slashes": _text(jsonc.loads, head="{", part="//\n", tail="}"),
    "slashes": _text(jsonc.loads, head="{", part="/"),
    "stars": _text(jsonc.loads, head="{/*", part="*/*"),
    "quotes": _text(jsonc.loads, head="{", part='"'),
    "backslashes": _text(jsonc.loads, head='{"a": "', part="\\\\", tail='"}'),
    "blanks": _text(jsonc.loads, head="{", part=" ", tail="}"),
    "commas": _text(jsonc.loads, head='{"a": [1', part=",", tail="]}"),
    "trailing commas": _text(jsonc.loads, head='{"a": [0', part=",[0,]", tail="]}"),
    "nesting": _text(jsonc.loads, head='{"a": ', part="["),
    "members": _text(_set, head="{", part='"a": 1, ', tail='"b": 2}'),
    "members with comments": _text(_set, head="{", part='"a": 1, /* b */ ', tail="}"),
    "an inventory": lambda size: lambda: names_of([{f"a{n}": 1 for n in range(size // 8)}]),
    "a product file of keys": lambda size: (
        lambda: _lint("".join(f"a{number}: b\n" for number in range(size // 8)))
    ),
    "a product file of aliases": _text(_lint, head="a: &a b\nc: [", part="*a, ", tail="]"),
    "an image of slashes": _text(_match, part="a/"),
    "an image of colons": _text(_match, part="a:"),
    "a version": _text(VersionSpan.parse, head="1", part=".1"),
    "a version's flavour": _text(VersionSpan.parse, head="1.2.3-a", part="._"),
    "versions in a version's flavour": _text(VersionSpan.parse, head="1.2.3", part="-alpine1.2"),
    "numbers in a version's flavour": _text(VersionSpan.parse, head="1.2.3-a", part="-1234"),
    "an interval": _text(read_interval, part="1"),
    "managed fields": _with_managed_fields,
    "variables brought back": _brought_back,
    "containers": _with_containers,
    "ranges": _ranges,
    "DNS addresses": _dns(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\x01\x02\x03\x04", 1),
    "DNS aliases": _dns(b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, 4) + b"\x01b\xc0\x0c", 1),
    "frames of one byte": _frames(b"\0\0\0\x01a"),
    "content types": _frames(control_frame(Control.READY, *[CONTENT_TYPE] * 9)),
    "names of one-letter labels": lambda size: (
        lambda: read_question(struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\x01a" * size)
    ),
    "DNS records of other kinds": _dns(b"\0" + struct.pack("!HHIH", 99, 1, 60, 0), 3),
    "commands in commands": _words("tini", "--"),
    "letters in words": _words("-" + "c" * 100 + "!"),
    "a tag by a template": _text(
        lambda tag: match_template("*a{version}-*b", tag), head="a1", part="-b1a"
    ),
    "heads of a glob": _text(lambda tag: heads_matched("*a*b*a?*b*", tag), part="ab"),
    "a glob": lambda size: lambda: glob_matches("*a*b*c", "ab" * (size // 2)),
}


@pytest.mark.thorough
@every("name", PARSERS)
def test_steps_grow_with_the_size(name: str) -> None:
    parser = PARSERS[name]
    small, large = (steps_of(parser(size)) for size in (1000, 4000))
    assert large <= 5 * small + 200


class _Request:
    """A request without a body, and this Content-Type."""

    def __init__(self, content_type: str) -> None:
        self.request = make_mocked_request(
            "POST", "/mutate", {"Content-Type": content_type}, payload=self
        )

    async def readany(self) -> bytes:
        return b""

    def read(self) -> None:
        async def read() -> None:
            async with BodyReader().reading(self.request):
                pass

        asyncio.run(read())


@every("part", [";a=b", ';a="b"', '"\\', " ", ";"])
def test_a_media_type_costs_no_more_with_parameters(part: str) -> None:
    """Of 8 KiB, which the framework reads of a header, 2,000 may be sent."""
    one, many = (_Request(f"application/json;{part * number}") for number in (1, 2000))
    assert steps_of(many.read) <= steps_of(one.read) + 100


def _fleet_of_one(size: int, *, renamed: bool = False, env: bool = True) -> Callable[[], object]:
    """A decision on a workload and a pod with this many containers of a product."""
    variables = {SONAR_SWITCH: "false"} if env else {}
    own, others = (
        manifest(*(container(SONARQUBE, name=f"{letter}{n}", env=variables) for n in range(size)))
        for letter in "cd"
    )
    record = [
        InjectedVariable(container=f"c{n}", name=SONAR_SWITCH, value="false") for n in range(size)
    ]
    asked = under(policy(), recorded=tuple(record) if env else ()).input(
        own, Trigger.RECONCILE, pods=(pod_of(others if renamed else own),)
    )
    return lambda: decide(asked)


@pytest.mark.thorough
@pytest.mark.parametrize("renamed", [False, True], ids=["the same names", "other names"])
@pytest.mark.parametrize("env", [False, True], ids=["unset", "off"])
def test_a_decision_takes_linear_time_in_the_containers(*, renamed: bool, env: bool) -> None:
    few, many = (steps_of(_fleet_of_one(size, renamed=renamed, env=env)) for size in (100, 400))
    assert many <= 5 * few


@pytest.mark.thorough
def test_an_update_takes_linear_time_in_the_containers() -> None:
    def update(size: int) -> Callable[[], object]:
        def made(image: str) -> dict[str, object]:
            return manifest(*(container(image, name=f"c{n}") for n in range(size)))

        asked = under(policy()).input(
            made("sonarqube:25.1.0.102122-community"),
            Trigger.UPDATE,
            before=workload(made(SONARQUBE)),
        )
        return lambda: decide(asked)

    few, many = (steps_of(update(size)) for size in (400, 1600))
    assert many <= 5 * few


def test_an_image_costs_no_more_with_hundreds_of_patterns() -> None:
    """A pod template may have thousands of containers."""
    product = builtin().products["emqx"]
    images = [f"vendor-{n}/product-{n}" for n in range(300)]
    more = {
        name: replace(
            product,
            name=name,
            spec=msgspec.structs.replace(
                product.spec,
                images=(msgspec.structs.replace(product.spec.images[0], pattern=name),),
            ),
        )
        for name in images
    }
    few, many = builtin(), builtin().with_products(more)
    for image in ("registry.example/a/b:1", "sonarqube:26.7.0", "x/vendor-7/product-7:5.8.9"):
        few.match_image(image, "c"), many.match_image(image, "c")
        steps = steps_of(lambda image=image: few.match_image(image, "c"))  # type: ignore[misc]
        assert steps_of(lambda image=image: many.match_image(image, "c")) <= steps + 30  # type: ignore[misc]
    found = many.match_image("x/vendor-7/product-7:5.8.9", "c")
    assert found is not None
    assert found.product.name == "vendor-7/product-7"


@given(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=6), st.sampled_from(IMAGES))
def test_the_first_product_that_covers_an_image_is_found(patterns: list[str], image: str) -> None:
    product = builtin().products["emqx"]
    one = product.spec.images[0]
    made = {
        f"p{n}": replace(
            product,
            name=f"p{n}",
            spec=msgspec.structs.replace(
                product.spec, images=(msgspec.structs.replace(one, pattern=pattern),)
            ),
        )
        for n, pattern in enumerate(patterns)
    }
    reference = ImageReference.parse(image)
    expected = [name for name, one in made.items() if one.match_image(reference, "c") is not None]
    found = Catalogue(made).match_image(image, "c")
    assert (found.product.name if found else None) == (expected[0] if expected else None)


def test_the_count_finds_a_quadratic_parser() -> None:
    def quadratic(text: str) -> None:
        for at in range(len(text)):
            for _ in text[at:]:
                pass

    parser = _text(quadratic, part="a")
    assert steps_of(parser(400)) > 5 * steps_of(parser(100)) + 200


def test_a_text_that_is_too_long_is_not_scanned() -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        jsonc.loads(f"{{{' ' * jsonc.LONGEST}}}")
    assert steps_of(lambda: jsonc.loads(f"{{{' {' * jsonc.LONGEST}}}")) < 20


def test_a_text_at_the_limits_is_read() -> None:
    assert jsonc.loads("{" + " " * (jsonc.LONGEST - 2) + "}") == {}
    deepest = jsonc.DEEPEST - 1
    assert jsonc.loads('{"a": ' + "[" * deepest + "]" * deepest + "}")
    with pytest.raises(ValueError, match="not a JSON object"):
        jsonc.loads('{"a": ' + "[" * (deepest + 1) + "]" * (deepest + 1) + "}")


@pytest.mark.parametrize("size", [LONGEST + 1, 220_000])
def test_an_image_that_no_registry_serves_runs_no_product(size: int) -> None:
    tail = "/sonarqube:25.6.0.109173-community"
    longest = f"registry.example/{'a' * (LONGEST - 17 - len(tail))}{tail}"
    assert len(longest) == LONGEST
    assert builtin().match_image(longest, "c") is not None
    assert builtin().match_image("a" * (size - len(tail)) + tail, "c") is None
    assert not ImageReference.parse("a" * (size - len(tail)) + tail).matches("*")


def test_nothing_waits_for_a_scan() -> None:
    """The scanner runs in a thread: its Python code lets the event loop go on."""

    async def run() -> int:
        text = "{" + '"a": 1, ' * (jsonc.LONGEST // 8 - 1) + "}"
        scan = asyncio.ensure_future(asyncio.to_thread(jsonc.loads, text))
        turns = 0
        while not scan.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(run()) > 1


def _with_exclusive_switches(size: int) -> TelemetryProductSpec:
    """Every switch excludes another variable."""
    env = [
        {"name": f"SWITCH_{n}", "disabled": "0", "exclusiveWith": [f"FILE_{n}"]}
        for n in range(size)
    ]
    rule = {"default": "On", "switches": [{"semantics": "Start", "env": one} for one in env]}
    images = [{"pattern": "acme/server"}]
    return msgspec.convert(
        {"title": "Acme", "images": images, "channels": [{"name": "Usage", "rules": [rule]}]},
        TelemetryProductSpec,
    )


def test_switches_that_exclude_variables_are_compared_by_name() -> None:
    def check(spec: TelemetryProductSpec) -> Callable[[], object]:
        return lambda: list(find_mark_problems(spec, [(ChannelName.USAGE, 0, VersionRanges())]))

    few, many = (steps_of(check(_with_exclusive_switches(size))) for size in (2, 8))
    assert many < 5 * few
