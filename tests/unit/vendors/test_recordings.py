"""The fakes answer as the real products did: the recorded requests get the recorded answers.

``recorded/`` holds the project's own copies, with ids and times of its own. Where the original
recordings lie beside the repository (or in $FLEET_TELEMETRY_SHARED), they are compared as well.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.fakes import FakeProduct
from dev.fakes.dependency_track import FakeDependencyTrack
from dev.fakes.sonarqube import FakeSonarQube

_HERE = Path(__file__).parent
_SHARED = Path(
    os.environ.get("FLEET_TELEMETRY_SHARED", _HERE.parents[2] / "shared"), "recorded"
)  # beside the repository

_CHANGES = (
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
    (r'"id": "[0-9A-F]{8}-[0-9A-Za-z]{20}"', '"id": "<server id>"'),
    (r'"Server ID": "[0-9A-F]{8}-[0-9A-Za-z]{20}"', '"Server ID": "<server id>"'),
)
"""What differs between two installations, and has the same length."""


@dataclass(frozen=True)
class Exchange:
    """A request and the product's answer to it."""

    name: str
    method: str
    path: str
    who: str
    """none, bad, weak (no permission) or admin."""
    status: int
    content_type: str
    body: Any
    """JSON, or text."""
    length: int | None = None
    json: Any = None
    form: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Product:
    """A fake as it was when the recording began, and how it is told who asks."""

    start: Callable[[], FakeProduct]
    own: str
    shared: str
    read_shared: Callable[[Mapping[str, Any]], Exchange]
    headers: Callable[[str, FakeProduct], dict[str, str]]
    narrow: Callable[[Any, Any], Any] = field(default=lambda given, _recorded: given)
    """The part of an answer that the recording kept."""


def _dependency_track_headers(who: str, fake: FakeProduct) -> dict[str, str]:
    assert isinstance(fake, FakeDependencyTrack)
    key = {"admin": fake.api_key, "weak": fake.weak_api_key, "bad": "nonsense"}.get(who)
    return {"X-Api-Key": key} if key else {}


def _sonarqube_headers(who: str, fake: FakeProduct) -> dict[str, str]:
    assert isinstance(fake, FakeSonarQube)
    if who == "none":
        return {}
    if who == "admin by basic":
        user = base64.b64encode(f"{fake.token}:".encode()).decode()
        return {"Authorization": f"Basic {user}"}
    token = {"admin": fake.token, "weak": fake.weak_token}.get(who, "squ_nonsense")
    return {"Authorization": f"Bearer {token}"}


def _telemetry_only(given: Any, recorded: Any) -> Any:
    if isinstance(given, list) and isinstance(recorded, list):
        return [row for row in given if row.get("groupName", "telemetry") == "telemetry"]
    return given


def _recorded_sections(given: Any, recorded: Any) -> Any:
    if isinstance(given, dict) and "Settings" in given:
        kept = {key: value for key, value in given.items() if key in recorded}
        wanted = recorded["Settings"]
        settings = {key: value for key, value in given["Settings"].items() if key in wanted}
        return {**kept, "Settings": settings}
    return given


def _shared_dependency_track(exchange: Mapping[str, Any]) -> Exchange:
    request, answer = exchange["request"], exchange["response"]
    who = {"<api key>": "admin", "nonsense": "bad"}.get(request["headers"].get("X-Api-Key"), "none")
    length = answer["headers"].get("content-length")
    return Exchange(
        name=exchange["note"],
        method=request["method"],
        path=request["path"],
        who="weak" if exchange["note"].startswith("key without") else who,
        status=answer["status"],
        content_type=answer["headers"].get("content-type", ""),
        body=answer["body"],
        length=int(length) if length else None,
        json=request["json"],
    )


def _shared_sonarqube(exchange: Mapping[str, Any]) -> Exchange:
    request, answer = exchange["request"], exchange["response"]
    words = {
        "admin token, bearer": "admin",
        "admin token, basic": "admin by basic",
        "plain user": "weak",
        "bad token": "bad",
    }
    body = answer["body"]
    if isinstance(body, dict):
        # The recording's own remark.
        body = {key: value for key, value in body.items() if key != "_other sections"}
    return Exchange(
        name=exchange["note"],
        method=request["method"],
        path=request["path"],
        who=words.get(request["credentials"], request["credentials"]),
        status=answer["status"],
        content_type=answer["headers"].get("content-type", ""),
        body=body,
        form=request["form"],
    )


PRODUCTS = {
    "dependency-track": Product(
        start=lambda: FakeDependencyTrack(enabled="false"),
        own="dependency-track-4.13.6.json",
        shared="dependency-track-4.13.6.json",
        read_shared=_shared_dependency_track,
        headers=_dependency_track_headers,
        narrow=_telemetry_only,
    ),
    "sonarqube": Product(
        start=FakeSonarQube,
        own="sonarqube-25.6.json",
        shared="sonarqube-25.6-telemetry-on.json",
        read_shared=_shared_sonarqube,
        headers=_sonarqube_headers,
        narrow=_recorded_sections,
    ),
}


def _own(product: Product) -> Iterator[Exchange]:
    for found in json.loads((_HERE / "recorded" / product.own).read_text())["exchanges"]:
        answer = found["answer"]
        yield Exchange(
            name=found["case"],
            method=found["method"],
            path=found["path"],
            who=found["as"],
            status=answer["status"],
            content_type=answer["type"],
            body=answer["body"],
            length=answer.get("length"),
            json=found.get("json"),
            form=found.get("form"),
        )


def _shared(product: Product) -> Iterator[Exchange]:
    path = _SHARED / product.shared
    if not path.exists():
        pytest.skip(f"the original recording {path} is not here")
    for found in json.loads(path.read_text())["exchanges"]:
        yield product.read_shared(found)


def _neutral(body: Any) -> str:
    text = body if isinstance(body, str) else json.dumps(body, indent=1)
    for pattern, word in _CHANGES:
        text = re.sub(pattern, word, text)
    return text


async def _replay(product: Product, exchanges: list[Exchange]) -> list[tuple[str, str]]:
    """What the fake answers and what was recorded, where they differ."""
    fake = product.start()
    different = []
    context = ssl.create_default_context(cadata=fake.ca_pem)
    async with fake, httpx.AsyncClient(verify=context, trust_env=False) as client:
        for wanted in exchanges:
            given = await client.request(
                wanted.method,
                fake.url + wanted.path,
                headers=product.headers(wanted.who, fake),
                json=wanted.json,
                data=wanted.form,
            )
            text = given.text
            body = text if isinstance(wanted.body, str) else json.loads(text)
            body = product.narrow(body, wanted.body)
            got = [given.status_code, _neutral(body)]
            should = [wanted.status, _neutral(wanted.body)]
            if wanted.content_type:
                got.append(given.headers.get("content-type", ""))
                should.append(wanted.content_type)
            if wanted.length is not None:
                got.append(int(given.headers["content-length"]))
                should.append(wanted.length)
            if got != should:
                different.append((f"{wanted.name}: {got}", f"{should}"))
    return different


@pytest.mark.parametrize("name", PRODUCTS)
def test_stand_in_answers_as_recorded(name: str) -> None:
    exchanges = list(_own(PRODUCTS[name]))
    assert len(exchanges) >= 10
    assert asyncio.run(_replay(PRODUCTS[name], exchanges)) == []


@pytest.mark.parametrize("name", PRODUCTS)
def test_stand_in_answers_as_in_the_original_recording(name: str) -> None:
    exchanges = list(_shared(PRODUCTS[name]))
    assert len(exchanges) >= 10
    assert asyncio.run(_replay(PRODUCTS[name], exchanges)) == []


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_different_answer_is_noticed(name: str) -> None:
    product = PRODUCTS[name]
    exchanges = list(_own(product))
    for change in ({"status": 418}, {"body": {"other": 1}}, {"content_type": "text/other"}):
        changed = [Exchange(**{**_fields(exchanges[0]), **change}), *exchanges[1:]]
        assert len(asyncio.run(_replay(product, changed))) == 1


def test_own_copies_hold_no_foreign_ids() -> None:
    for path in (_HERE / "recorded").glob("*.json"):
        uuids = re.findall(_CHANGES[0][0].replace("(-", "(?:-"), path.read_text())
        assert all(uuid.startswith("00000000-") for uuid in uuids)


def _fields(exchange: Exchange) -> dict[str, Any]:
    return {name: getattr(exchange, name) for name in exchange.__dataclass_fields__}
