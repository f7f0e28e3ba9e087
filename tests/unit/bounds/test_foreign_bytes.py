"""Whatever bytes come from outside, a parser gives a result or its documented error."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.version import VersionRanges, VersionSpan
from fleet_telemetry.egress.published_ranges import CLOUDFLARE, RangesError, parse
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.objects.manifest import read_time
from fleet_telemetry.vendors.http import (
    LARGEST_ANSWER,
    LONGEST_PATIENCE_SECONDS,
    Answer,
    VendorApi,
    VendorError,
    read_json,
)
from fleet_telemetry.vendors.service import Endpoint
from fleet_telemetry.workloads.reading import read_pod, read_workload
from tests.support.depth import examples
from tests.support.every import every
from tests.support.vendor_cases import CASES

NOW = datetime(2026, 11, 29, tzinfo=UTC)
DEEP = 100_000
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "a number of many digits": b"9" * LARGEST_ANSWER,
    "a negative number of many digits": b"-" + b"9" * (LARGEST_ANSWER - 1),
    "many numbers of many digits": b"[" + b",".join([b"9" * 4300] * 100) + b"]",
    "an exponent": b"1e" + b"9" * 1000,
    "arrays in arrays": b"[" * DEEP,
    "arrays in arrays that end": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * DEEP,
    "almost too deep": b"[" * 900 + b"]" * 900,
    "a string that does not end": b'"' + b"\\u00" * 1000,
    "half of a surrogate pair": b'{"version": "\\ud800"}',
    "no UTF-8": b'{"version": "\xff\xfe"}',
    "UTF-16": '{"version": "1"}'.encode("utf-16"),
    "a zero byte": b"\0" * 1000,
    "constants": b"[NaN, Infinity, -Infinity]",
    "errors that are deep": b'{"errors": [{"message": ' + b"[" * 900 + b"]" * 900 + b"}]}",
    "many errors": json.dumps({"errors": [{"message": "a"}] * 30_000}).encode(),
    "names by the thousand": json.dumps({f"n{n}": n for n in range(30_000)}).encode(),
}

_names = st.sampled_from(
    [
        "version", "status", "application", "edition", "node", "node_status", "enable", "message",
        "code", "errors", "data", "site", "id", "configuration", "effectiveContents",
        "allowSiteSettingsEdits", "productVersion", "telemetry", "nodes", "payload",
        "exportedEvents", "exportedAt", "productSubscription", "license", "tags", "Settings",
        "sonar.telemetry.enable", "groupName", "propertyName", "propertyValue",
    ]
)  # fmt: skip
_values = st.sampled_from(
    [
        "UP", "Dependency-Track", "4.13.6", "5.0.4", "telemetry", "submission.enabled", "true",
        "last.submission.epoch.seconds", "last.submission.data", "1795593600", "9" * 5000, "{}",
        "[" * 2000, "Enterprise", "5.8.9", "running", "emqx@127.0.0.1", "25.6.0.109173", "7.0.0",
        '{"update.channel": "none"}', '{"update.channel": [' + "[" * 70, "{/*" * 99, "2026-11-29",
        "2026-11-29T00:00:00Z", "0001-01-01T00:00:00+23:59", "\ud800", "\0", "allow-air-gapped",
        "1" * 40 + "_2024-09-18_5.6-f00ba4",
    ]
)  # fmt: skip
_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), _values, st.text(max_size=5)
)
_documents = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_names | st.text(max_size=3), inner)
    ),
    max_leaves=20,
)


_odd = _leaves | _documents


def _shape(draw: st.DrawFn, name: str) -> Any:
    """An answer that is right but for what Hypothesis puts in."""
    odd = lambda: draw(_odd)  # noqa: E731
    match name.partition("-info")[0]:
        case "dependency-track":
            row = {"groupName": "telemetry", "propertyName": draw(_values), "propertyValue": odd()}
            return [row, odd(), {**row, "propertyName": "submission.enabled"}]
        case "sonarqube":
            return {"status": "UP", "version": odd(), "Settings": odd()}
        case "emqx":
            return {"enable": odd(), "node": odd(), "version": odd(), "feature": odd()}
        case "sourcegraph":
            return {
                "data": {
                    "site": {
                        "productVersion": odd(),
                        "allowSiteSettingsEdits": draw(st.booleans()),
                        "configuration": {"id": 1, "effectiveContents": draw(_values)},
                        "productSubscription": odd(),
                    },
                    "telemetry": {
                        "exportedEvents": {"nodes": [{"exportedAt": odd(), "payload": odd()}]},
                        "eventsQueuedForExport": odd(),
                    },
                    "updateSiteConfiguration": odd(),
                },
                "errors": draw(_odd),
            }
    raise KeyError(name)


def _ask(name: str, body: bytes, headers: Mapping[str, str] = {}, status: int = 200) -> None:
    """An adapter reads and writes, and whatever it is told, it reports or raises VendorError."""
    case = CASES[name]

    async def run() -> None:
        transport = httpx.MockTransport(
            lambda _: httpx.Response(status, stream=httpx.ByteStream(body), headers=dict(headers))
        )
        async with httpx.AsyncClient(transport=transport) as client:
            api = VendorApi(client, Endpoint("http", "127.0.0.1", 80, "product.apps.svc"))
            try:
                report = await case.adapter.read(api, case.credentials)
            except VendorError as error:
                said.append(str(error))
            else:
                assert isinstance(report, InstanceReport)

    said: list[str] = []
    asyncio.run(run())
    assert all(secret not in text for secret in case.secrets for text in said)


@every("body", HOSTILE.values(), ids=HOSTILE)
@every("name", CASES)
def test_an_adapter_takes_hostile_answers(name: str, body: bytes) -> None:
    _ask(name, body)


@pytest.mark.parametrize("name", CASES)
@examples(150)
@given(document=_documents, status=st.sampled_from([200, 200, 200, 201, 400, 404]))
def test_an_adapter_takes_any_json(name: str, document: Any, status: int) -> None:
    _ask(name, json.dumps(document).encode(), status=status)


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
@examples(150)
@given(data=st.data())
def test_an_adapter_takes_answers_that_are_almost_right(name: str, data: st.DataObject) -> None:
    document = _shape(data.draw, name)  # type: ignore[arg-type]
    _ask(name, json.dumps(document).encode())


_dates = st.text(max_size=80) | st.from_regex(
    r"\A(Sun, )?[0-9]{0,3} ?(Nov|X)? ?[0-9]{0,12} ?[0-9:.]{0,30} ?([-+][0-9]{0,20}|GMT|\(.*)?\Z"
)


@examples(500)
@given(_dates)
@example("9" * 100_000)
@example("Sun, 29 Nov 2026 00:00:00 +9999999999999")
@example("Sun, 29 Nov 99999999999999999999 00:00:00 GMT")
@example("Sun, 29 Nov 2026 00:00:00")
@example(" ")
@example("²")
def test_retry_after_is_a_time_or_nothing(retry_after: str) -> None:
    answer = Answer(429, "", b"", (retry_after,), "GET http://product/")
    with pytest.raises(VendorError) as caught:
        answer.check(now=NOW)
    patience = caught.value.retry_after
    assert patience is None or 0 <= patience <= LONGEST_PATIENCE_SECONDS


@examples(300)
@given(st.binary(max_size=60) | _documents.map(lambda found: json.dumps(found).encode()))
def test_published_ranges_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(RangesError):
        parse(CLOUDFLARE, body)


@examples(300)
@given(
    st.text(max_size=40) | st.from_regex(r"\Av?[0-9.]{1,12}([-.](rc|m|snapshot))?[-.+0-9a-z]*\Z")
)
def test_a_tag_is_a_version_or_none(tag: str) -> None:
    span = VersionSpan.parse(tag)
    if span is not None:
        VersionRanges.parse((">=1.0.0 <2.0.0",)).covers(span)
    builtin().match_image(f"sonarqube:{tag}", "c")


@examples(300)
@given(_documents, _documents, _documents)
def test_manifests_are_read(metadata: Any, spec: Any, status: Any) -> None:
    manifest = {"kind": "Deployment", "metadata": metadata, "spec": spec, "status": status}
    read_workload(manifest)
    read_workload({**manifest, "spec": {"template": {"spec": spec}}})
    read_workload({**manifest, "metadata": {"managedFields": [metadata]}})
    read_pod(manifest)


def test_deep_names_in_managed_fields_are_left_out() -> None:
    deep = 'k:{"name":' + "[" * DEEP
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {deep: {}}}}}}
    metadata = {"managedFields": [{"manager": "helm", "fieldsV1": fields}]}
    workload = read_workload({"kind": "Deployment", "metadata": metadata, "spec": {}})
    assert workload is not None
    assert workload.field_owners.entries == frozenset()


@given(st.text(max_size=40))
def test_a_timestamp_is_a_time_or_nothing(text: str) -> None:
    read_time(text)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_json_is_read_or_a_value_error(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_json(body)


def test_the_interpreter_limits_the_digits_of_a_number() -> None:
    """Without it, reading a number takes time that grows with the square of its digits."""
    assert 0 < sys.get_int_max_str_digits() <= 4300
