"""A TelemetryProduct that contradicts itself gets a problem, and the rest stays in force."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from tests.support.crd_products import PRODUCT

Manifest = dict[str, Any]
Change = Callable[[Manifest], None]

_GOOD: Manifest = {
    "title": "Acme",
    "images": [{"pattern": "acme/scanner"}],
    "versions": {"lines": [{"lowest": "1.0", "verified": "3"}]},
    "channels": [
        {
            "name": "Usage",
            "hosts": [{"host": "usage.acme.example"}],
            "rules": [
                {
                    "default": "On",
                    "switches": [
                        {
                            "semantics": "Start",
                            "env": {"name": "ACME_TELEMETRY", "disabled": "no", "enabled": "yes"},
                        },
                        {
                            "semantics": "Start",
                            "argument": {
                                "flag": "telemetry",
                                "dashes": "Two",
                                "values": "Equals",
                                "disabled": "--telemetry=no",
                                "enabled": "--telemetry=yes",
                                "programs": ["acme"],
                                "reading": {"enabled": ["yes"], "disabled": ["no"]},
                            },
                        },
                    ],
                }
            ],
        }
    ],
}


def _at(spec: Manifest, *path: str | int) -> Any:
    found: Any = spec
    for step in path:
        found = found[step]
    return found


_RULE = ("channels", 0, "rules", 0)
_ENV = (*_RULE, "switches", 0, "env")
_ARGUMENT = (*_RULE, "switches", 1, "argument")
_HOST = ("channels", 0, "hosts", 0)


def _with(path: tuple[str | int, ...], **fields: Any) -> Change:
    return lambda spec: _at(spec, *path).update(fields)


def _on_unknown_base(spec: Manifest) -> None:
    spec.clear()
    spec.update(title="Acme", base="nobody", images=[{"pattern": "acme/scanner"}])


_BAD: dict[str, Change] = {
    "a template of tags without a version": _with(("images", 0), tags=["stable"]),
    "a variable of the loader": _with(_ENV, name="LD_PRELOAD"),
    "a value that is expanded": _with(_ENV, disabled="$(SECRET)"),
    "a flag that loads code": _with(_ARGUMENT, flag="plugin", disabled="--plugin=no", enabled=None),
    "arguments of an image": _with(_ARGUMENT, imageArguments=["run"]),
    "an unknown form of dashes": _with(_ARGUMENT, dashes="Three"),
    "exclusive with itself": _with(_ENV, exclusiveWith=["ACME_TELEMETRY"]),
    "something is left without a switch": _with(_RULE, leaves="a ping", switches=[]),
    "addresses of a host for browsers": _with(_HOST, sentBy="Browser", addresses=["192.0.2.1"]),
    "an unknown sender": _with(_HOST, sentBy="Fax"),
    "an address in place of a host": _with(_HOST, host="192.0.2.1"),
    "a base that does not exist": _on_unknown_base,
    "channels beside a base": _with((), base="emqx"),
    "an image of a built-in product": _with(("images", 0), pattern="grafana/grafana"),
    "an image of everybody": _with(("images", 0), pattern="*server*"),
    "no image": _with((), images=[]),
    "versions in the wrong order": _with(("versions", "lines", 0), lowest="9"),
    "a range that is none": _with(_RULE, versions=[">=2 <1"]),
    "an edition that no image has": _with(_RULE, editions=["pro"]),
    "no list": _with((), channels="Usage"),
}  # fmt: skip


@pytest.fixture
def cache() -> ClusterCache:
    found = ClusterCache(builtin())
    found.upsert(kinds.PRODUCT, _product("other", {**_GOOD, "images": [{"pattern": "other/one"}]}))
    return found


def _product(name: str, spec: Any) -> Manifest:
    return {"metadata": {"name": name, "generation": 1}, "spec": spec}


def _assert_rest_in_force(cache: ClusterCache) -> None:
    for name, product in builtin().products.items():
        assert cache.catalogue.products[name] is product
    assert cache.catalogue.match_image("other/one:1.0", "main")


def test_the_good_one_is_in_force(cache: ClusterCache) -> None:
    cache.upsert(kinds.PRODUCT, _product("acme", _GOOD))
    assert cache.products["acme"].problem == ""
    assert cache.catalogue.match_image("acme/scanner:2.0", "main")
    _assert_rest_in_force(cache)


@pytest.mark.parametrize("kind", _BAD)
def test_a_bad_product_gets_a_problem_and_the_rest_stays(cache: ClusterCache, kind: str) -> None:
    spec = copy.deepcopy(_GOOD)
    _BAD[kind](spec)
    cache.upsert(kinds.PRODUCT, _product("acme", spec))
    rejected = cache.rejected_products.get("acme")
    assert cache.products["acme"].problem or (rejected and rejected.message)
    assert "acme" not in cache.catalogue.products
    _assert_rest_in_force(cache)


@pytest.mark.thorough
def test_whatever_the_api_server_refuses_leaves_the_rest_in_force(cache: ClusterCache) -> None:
    cases = [case for case in PRODUCT.cases() if not case.is_accepted and case.root == "spec"]
    assert len(cases) > 300
    for case in cases:
        cache.upsert(kinds.PRODUCT, _product("acme", case.manifest.get("spec")))
    _assert_rest_in_force(cache)
