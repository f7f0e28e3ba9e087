"""What is wrong with a policy as far as no schema can say it."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.reasons import PolicyReason
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.switches.policy_problems import PolicyProblem, find_problems
from tests.support.builders import (
    EMQX_SWITCH,
    SONAR_SWITCH,
    SONAR_UPDATES,
    V4_SWITCH,
    V5_SWITCH,
    catalogue,
    own_product,
    policy,
    product,
)


def problems(known: Catalogue | None = None, **spec: Any) -> list[PolicyProblem]:
    return list(find_problems(policy(**spec).spec, known or builtin()))


def setting(product_name: str, *names: str) -> dict[str, Any]:
    env = [{"name": name, "value": "x"} for name in names]
    return {"settings": [{"product": product_name, "env": env}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"products": ["sonarqube", "emqx", "dependency-track", "sourcegraph"]},
        {"injection": {}},
        {"injection": setting("sonarqube", "SONAR_LOG_LEVEL", "SONAR_TELEMETRY_ENABLED")},
        # The switch of a channel that the policy does not cover.
        {"injection": setting("sonarqube", SONAR_UPDATES)},
        # The switch of another product.
        {"injection": setting("sonarqube", V4_SWITCH, EMQX_SWITCH)},
        {"injection": setting("emqx", "emqx_telemetry__enable")},
    ],
)
def test_nothing_is_wrong(spec: dict[str, Any]) -> None:
    assert problems(**spec) == []


_EXCLUSIVE = {
    "name": "ACME",
    "disabled": "no",
    "aliases": ["ACME_OLD"],
    "exclusiveWith": ["ACME__FILE"],
}


@pytest.mark.parametrize(
    ("name", "submission", "reasons"),
    [
        ("ACME__FILE", "Disabled", [PolicyReason.SETTING_EXCLUDES_SWITCH]),
        # To enable, no switch is set.
        ("ACME__FILE", "Enabled", []),
        ("ACME", "Disabled", [PolicyReason.SETTING_NAMES_SWITCH]),
        ("ACME_FILE", "Disabled", []),
    ],
)
def test_a_setting_beside_which_the_product_does_not_start(
    name: str, submission: str, reasons: list[PolicyReason]
) -> None:
    rules = [{"default": "On", "switches": [{"semantics": "Start", "env": _EXCLUSIVE}]}]
    known = catalogue(product("acme", channels=[{"name": "Usage", "rules": rules}]))
    found = problems(known, submission=submission, injection=setting("acme", name))
    assert [one.reason for one in found] == reasons
    assert all(one.is_mistake and name in one.message for one in found)


def test_an_unknown_product_is_told_once_and_with_the_one_that_may_be_meant() -> None:
    found = problems(products=["sonarcube", "emqx"], injection=setting("sonarcube", "A"))
    (problem,) = found
    assert problem.reason is PolicyReason.UNKNOWN_PRODUCT
    assert "'sonarcube'" in problem.message
    assert "did you mean sonarqube?" in problem.message
    # The TelemetryProduct may come after the policy.
    assert not problem.is_mistake
    acme = product("sonarcube", channels=[{"name": "Usage"}])
    assert problems(catalogue(acme), products=["sonarcube"]) == []


def test_a_product_that_only_a_setting_names_has_to_be_known_too() -> None:
    (problem,) = problems(products=["emqx"], injection=setting("nothing", "A"))
    assert (problem.reason, problem.is_mistake) == (PolicyReason.UNKNOWN_PRODUCT, False)
    assert f"catalogue lists the {len(builtin().products)} known products" in problem.message


def test_a_small_catalogue_is_named() -> None:
    acme = own_product("acme", channels=[{"name": "Usage"}])
    (problem,) = problems(Catalogue({"acme": acme}), products=["nothing"])
    assert "known products are acme" in problem.message


def test_a_product_that_only_an_endpoint_names_has_to_be_known_too() -> None:
    endpoint = {"product": "nothing", "service": {"name": "web", "port": 80}}
    (problem,) = problems(runtime={"endpoints": [endpoint]})
    assert problem.reason is PolicyReason.UNKNOWN_PRODUCT
    assert "'nothing'" in problem.message


@pytest.mark.parametrize(
    ("product_name", "name", "channels"),
    [
        ("sonarqube", SONAR_SWITCH, ["Usage"]),
        ("sonarqube", SONAR_UPDATES, ["UpdateCheck"]),
        ("sonarqube", SONAR_UPDATES, ["Usage", "UpdateCheck"]),
        # The switch of any version.
        ("dependency-track", V4_SWITCH, ["Usage"]),
        ("dependency-track", V5_SWITCH, ["Usage"]),
        # In any spelling that the product accepts.
        ("dependency-track", "dt.telemetry.submission.default-enabled", ["Usage"]),
        ("emqx", "EMQX_telemetry__Enable", ["Usage"]),
    ],
)
def test_a_setting_that_names_a_switch_is_a_mistake(
    product_name: str, name: str, channels: list[str]
) -> None:
    injection = setting(product_name, "A", name, "B")
    (problem,) = problems(channels=channels, injection=injection)
    assert problem.reason is PolicyReason.SETTING_NAMES_SWITCH
    assert f"{name} is a switch of {product_name}" in problem.message
    assert problem.is_mistake


def test_a_part_about_a_product_that_is_not_covered_is_no_mistake_and_is_reported() -> None:
    known = catalogue(own_product("widget", channels=[{"name": "Usage"}]))
    about = setting("widget", "A")
    (problem,) = problems(known, injection=about)
    assert (problem.reason, problem.is_mistake) == (PolicyReason.PRODUCT_NOT_COVERED, False)
    assert "spec.additionalProducts" in problem.message
    assert problems(known, injection=about, additionalProducts=["widget"]) == []
    assert problems(known, injection=about, products=["widget"]) == []


@pytest.mark.parametrize("name", ["LD_PRELOAD", "node.options", "NO_PROXY"])
@pytest.mark.parametrize("product_name", ["sonarqube", "not-yet-known"])
def test_a_setting_that_no_policy_may_set_is_a_mistake(name: str, product_name: str) -> None:
    found = problems(injection=setting(product_name, "A", name))
    (problem,) = [one for one in found if one.is_mistake]
    assert problem.reason is PolicyReason.REFUSED_VARIABLE
    assert f"{name} of {product_name} may not be set by a policy" in problem.message


def test_a_setting_that_inserts_another_variable_is_a_mistake() -> None:
    env = [{"name": "SONAR_TELEMETRY_URL", "value": "https://a.example/$(SONAR_KEY)"}]
    (problem,) = problems(injection={"settings": [{"product": "sonarqube", "env": env}]})
    assert (problem.reason, problem.is_mistake) == (PolicyReason.REFUSED_VARIABLE, True)
    assert "SONAR_KEY" not in problem.message


def test_everything_is_told_at_once() -> None:
    found = problems(
        cluster=True, products=["x", "y"], injection=setting("sonarqube", SONAR_SWITCH)
    )
    assert [problem.reason for problem in found] == [
        PolicyReason.UNKNOWN_PRODUCT,
        PolicyReason.UNKNOWN_PRODUCT,
        PolicyReason.SETTING_NAMES_SWITCH,
    ]
