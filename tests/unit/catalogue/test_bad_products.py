from __future__ import annotations

from copy import deepcopy
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.builtin_file import read_product
from fleet_telemetry.catalogue.product import Product, ProductError
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_VALUES

Spec = dict[str, Any]

_GOOD: Spec = {
    "title": "Widget",
    "images": [
        {"pattern": "widget/server"},
        {"pattern": "widget/agent", "component": "agent", "edition": "pro"},
    ],
    "channels": [
        {
            "name": "Usage",
            "hosts": [{"host": "telemetry.widget.example", "versions": [">=2.0.0"]}],
            "rules": [
                {"versions": ["<2.0.0"], "default": "NoTelemetry"},
                {
                    "versions": [">=2.0.0"],
                    "default": "On",
                    "switches": [
                        {
                            "semantics": "Start",
                            "env": {"name": "WIDGET_TELEMETRY", "disabled": "0", "enabled": "1"},
                        }
                    ],
                },
            ],
        },
        {"name": "UpdateCheck", "rules": [{"default": "Off"}]},
    ],
}
_IMAGE, _USAGE = ("images", 0), ("channels", 0)
_HOST, _RULE = (*_USAGE, "hosts", 0), (*_USAGE, "rules", 1)
_SWITCH = (*_RULE, "switches", 0)


def _with(*changes: tuple[tuple[Any, ...], Any]) -> Spec:
    spec = deepcopy(_GOOD)
    for (*parents, last), value in changes:
        at: Any = spec
        for key in parents:
            at = at[key]
        at[last] = value
    return spec


def _compile(spec: Any, name: str = "widget") -> Product:
    return Product.compile(name, msgspec.convert(spec, TelemetryProductSpec))


def _rules(*rules: Spec) -> Spec:
    return _with(((*_USAGE, "rules"), [{"default": "On", **rule} for rule in rules]))


def _problems(spec: Any) -> list[str]:
    with pytest.raises(ProductError) as caught:
        _compile(spec)
    return caught.value.problems


def test_a_rule_for_versions_that_the_product_does_not_have_is_named() -> None:
    for verified, problems in (("1", [">=2.0.0"]), ("2", []), ("9", [])):
        spec = _with((("versions",), {"lines": [{"lowest": "1", "verified": verified}]}))
        if not problems:
            _compile(spec)
            continue
        assert _problems(spec) == [
            f"channel Usage, {text}: no version of spec.versions is in this range"
            for text in problems
        ]


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({"lines": [{"lowest": "2", "verified": "1"}]}, "versions: a line's lowest (2)"),
        ({"lines": [{"lowest": "1.x", "verified": "2"}]}, "versions: '1.x' is not a version"),
        (
            {"lines": [{"lowest": "1", "verified": "2", "editions": ["pro", "lite"]}]},
            "versions, line 1: no image has the edition 'lite'",
        ),
        ({"lines": [{"lowest": "1", "verified": "2"}] * 2}, "versions: line 2 overlaps"),
    ],
)
def test_versions_that_contradict_themselves_are_named(versions: Spec, problem: str) -> None:
    (found,) = _problems(_with((("versions",), versions)))
    assert problem in found


def test_the_good_one_compiles() -> None:
    product = _compile(_GOOD)
    assert product.name == "widget"
    assert {channel: len(rules) for channel, rules in product.rules.items()} == {
        ChannelName.USAGE: 2,
        ChannelName.UPDATE_CHECK: 1,
    }


# What the types refuse, with the place.
@every(
    ("path", "value", "place"),
    [
        (("title",), "", "$.title"),
        (("title",), None, "$.title"),
        (("title",), 7, "$.title"),
        (("homepage",), "http://widget.example", "$.homepage"),
        (("images",), None, "$.images"),
        (("images", 0), {}, "$.images[0]"),
        ((*_IMAGE, "pattern"), "", "$.images[0].pattern"),
        ((*_IMAGE, "pattern"), "widget server", "$.images[0].pattern"),
        ((*_IMAGE, "pattern"), "widget[ab]", "$.images[0].pattern"),
        ((*_IMAGE, "pattern"), "widget:5", "$.images[0].pattern"),
        ((*_IMAGE, "edition"), "Pro", "$.images[0].edition"),
        ((*_IMAGE, "component"), "a b", "$.images[0].component"),
        ((*_IMAGE, "excludeTags"), "*-search", "$.images[0].excludeTags"),
        ((*_USAGE, "name"), "Telemetry", "$.channels[0].name"),
        ((*_USAGE, "name"), "usage", "$.channels[0].name"),
        ((*_HOST, "host"), "widget", "$.channels[0].hosts[0].host"),
        ((*_HOST, "host"), "*.widget.example", "$.channels[0].hosts[0].host"),
        ((*_HOST, "host"), "192.0.2.1", "$.channels[0].hosts[0].host"),
        ((*_HOST, "port"), 0, "$.channels[0].hosts[0].port"),
        ((*_HOST, "port"), 65536, "$.channels[0].hosts[0].port"),
        ((*_HOST, "publishedRanges"), "Akamai", "$.channels[0].hosts[0].publishedRanges"),
        ((*_RULE, "default"), "on", "$.channels[0].rules[1].default"),
        ((*_RULE, "default"), True, "$.channels[0].rules[1].default"),
        ((*_RULE, "versions"), ">=2.0.0", "$.channels[0].rules[1].versions"),
        ((*_RULE, "versions"), [""], "$.channels[0].rules[1].versions[0]"),
        ((*_RULE, "versions"), ["2.0.0"], "$.channels[0].rules[1].versions[0]"),
        ((*_RULE, "versions"), [">=latest"], "$.channels[0].rules[1].versions[0]"),
        ((*_RULE, "versions"), ["<=2.0.0"], "$.channels[0].rules[1].versions[0]"),
        ((*_RULE, "versions"), [">=1 <2 <3"], "$.channels[0].rules[1].versions[0]"),
        ((*_RULE, "versions"), [2.0], "$.channels[0].rules[1].versions[0]"),
        ((*_SWITCH, "semantics"), "Boot", "$.channels[0].rules[1].switches[0].semantics"),
        ((*_SWITCH, "env"), {"name": "X"}, "$.channels[0].rules[1].switches[0].env"),
        (
            (*_SWITCH, "env", "name"),
            "1X",
            "$.channels[0].rules[1].switches[0].env.name",
        ),
        (
            (*_SWITCH, "env", "disabled"),
            False,
            "$.channels[0].rules[1].switches[0].env.disabled",
        ),
    ],
)
def test_what_the_types_refuse_names_the_place(
    path: tuple[Any, ...], value: object, place: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        _compile(_with((path, value)))
    assert f"`{place}`" in str(caught.value)


@pytest.mark.parametrize(
    ("versions", "sentence"),
    [
        ([">=2.x"], "'2.x' is not a version such as 4.13.0 or 5.0.0-rc.2"),
        ([">=2.0.0 <3.x"], "'3.x' is not a version such as 4.13.0 or 5.0.0-rc.2"),
        ([">=1.2.3.4.5"], "'1.2.3.4.5' is not a version such as 4.13.0 or 5.0.0-rc.2"),
        ([">=2026-11-21"], "'2026-11-21' is not a version such as 4.13.0 or 5.0.0-rc.2"),
        ([">=2.0.0 <2.0.0"], "no version can be in range '>=2.0.0 <2.0.0'"),
        ([">=3.0.0 <2.0.0"], "no version can be in range '>=3.0.0 <2.0.0'"),
        ([">=2.0.0 <2.0.0-rc.1"], "no version can be in range '>=2.0.0 <2.0.0-rc.1'"),
        ([">=2.0.0", ">=9..9"], "'9..9' is not a version such as 4.13.0 or 5.0.0-rc.2"),
    ],
)
def test_nonsense_versions_name_the_rule_or_the_host(versions: list[str], sentence: str) -> None:
    assert _problems(_with(((*_RULE, "versions"), versions))) == [
        f"channel Usage, rule 2: {sentence}"
    ]
    assert _problems(_with(((*_HOST, "versions"), versions))) == [
        f"channel Usage, host telemetry.widget.example: {sentence}"
    ]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            ({"versions": ["<2.1.0"]}, {"versions": [">=2.0.0"]}),
            "two rules overlap for widget/server (<2.1.0 and >=2.0.0)",
        ),
        (
            ({"versions": [">=1 <3"]}, {"versions": [">=2 <4"]}),
            "two rules overlap for widget/server (>=1 <3 and >=2 <4)",
        ),
        (
            ({"versions": ["<2.0.0"]}, {"versions": [">=2.0.0-rc.1"]}),
            "two rules overlap for widget/server (<2.0.0 and >=2.0.0-rc.1)",
        ),
        (
            ({}, {"versions": [">=2"]}),
            "two rules overlap for widget/server (every version and >=2)",
        ),
        (({}, {}), "two rules overlap for widget/server (every version and every version)"),
        (
            ({"versions": ["<1", ">=5"]}, {"versions": [">=9 <10"]}),
            "two rules overlap for widget/server (<1 or >=5 and >=9 <10)",
        ),
        (
            ({"editions": ["pro"]}, {"components": ["agent"]}),
            "two rules overlap for widget/agent (every version and every version)",
        ),
        (
            ({"editions": ["standard", "pro"]}, {"editions": ["pro"]}),
            "two rules overlap for widget/agent (every version and every version)",
        ),
    ],
)
def test_overlapping_rules_name_both_and_an_image(rules: tuple[Spec, ...], problem: str) -> None:
    assert _problems(_rules(*rules)) == [f"channel Usage: {problem}"]


@pytest.mark.parametrize(
    "rules",
    [
        ({"versions": ["<2.0.0"]}, {"versions": [">=2.0.0"]}),
        ({"versions": ["<2.0.0-dev"]}, {"versions": [">=2.0.0"]}),
        ({"editions": ["standard"]}, {"editions": ["pro"]}),
        ({"components": ["server"]}, {"components": ["agent"]}),
        # No image is both.
        ({"editions": ["standard"]}, {"components": ["agent"]}),
        ({"versions": [">=1 <2", ">=3 <4"]}, {"versions": [">=2 <3", ">=4"]}),
        (),
    ],
)
def test_rules_that_never_meet_are_fine(rules: tuple[Spec, ...]) -> None:
    assert len(_compile(_rules(*rules)).rules[ChannelName.USAGE]) == len(rules)


def test_editions_and_components_that_no_image_has_are_named() -> None:
    assert _problems(_rules({"editions": ["pro", "lite", "basic"], "components": ["cron"]})) == [
        "channel Usage, rule 1: no image has the edition 'basic'",
        "channel Usage, rule 1: no image has the edition 'lite'",
        "channel Usage, rule 1: no image has the component 'cron'",
    ]


def test_a_rule_that_refuses_its_own_switch_is_named() -> None:
    env = {"name": "WIDGET_TELEMETRY", "disabled": "off", "aliases": ["WIDGET_PHONE_HOME"]}
    for refused in ("WIDGET_TELEMETRY", "WIDGET_PHONE_HOME"):
        rule = {
            "switches": [{"semantics": "Start", "env": env}],
            "refuses": [{"env": refused, "effect": "it does not start"}],
        }
        assert _problems(_rules(rule)) == [
            "channel Usage, rule 1: it refuses its own switch WIDGET_TELEMETRY"
        ]


def test_every_problem_is_told_at_once_with_the_products_name() -> None:
    spec = _with(
        ((*_USAGE, "rules", 0, "versions"), ["<2.x"]),
        ((*_USAGE, "rules", 1, "editions"), ["lite"]),
        ((*_HOST, "versions"), [">=3 <2"]),
        (("channels", 1, "rules"), [{"default": "On"}, {"default": "Off", "versions": ["<9"]}]),
    )
    with pytest.raises(ProductError) as caught:
        _compile(spec, "widget-9000")
    assert caught.value.problems == [
        "channel Usage, rule 1: '2.x' is not a version such as 4.13.0 or 5.0.0-rc.2",
        "channel Usage, host telemetry.widget.example: no version can be in range '>=3 <2'",
        "channel Usage, rule 2: no image has the edition 'lite'",
        "channel UpdateCheck: two rules overlap for widget/server (every version and <9)",
    ]
    assert str(caught.value) == "product widget-9000: " + "; ".join(caught.value.problems)


def _file(**changes: Any) -> bytes:
    manifest = {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryProduct",
        "metadata": {"name": "widget"},
        "spec": _GOOD,
    }
    return yaml.safe_dump({**manifest, **changes}).encode()


def test_a_good_file_is_read() -> None:
    assert read_product(_file()) == _compile(_GOOD)
    labelled = {"name": "widget", "labels": {"team": "platform"}}
    assert read_product(_file(metadata=labelled)).name == "widget"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["object"]),
        (b"[]", ["object", "array"]),
        (b"a: [", ["while parsing"]),
        (b"\xff\xfe", []),
        (_file(apiVersion="fleettelemetry.io/v1"), ["$.apiVersion"]),
        (_file(kind="TelemetryPolicy"), ["$.kind"]),
        (_file(status={}), ["status"]),
        (_file(metadata={}), ["name", "$.metadata"]),
        (_file(metadata={"name": ""}), ["$.metadata.name"]),
        (_file(metadata={"name": "Widget Pro"}), ["$.metadata.name"]),
        (_file(metadata=None), ["$.metadata"]),
        (_file(spec=None), ["$.spec"]),
        (_file(spec={}), ["title", "$.spec"]),
        (
            _file(spec=_with(((*_RULE, "default"), "Maybe"))),
            ["$.spec.channels[0].rules[1].default"],
        ),
        (_file(spec=_with(((*_RULE, "versions"), [">=2.x"]))), ["product widget", "rule 2", "2.x"]),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(content: bytes, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_product(content)
    for word in words:
        assert word in str(caught.value)


@steady
@given(
    st.sampled_from(
        [("images",), ("channels",), _IMAGE, _USAGE, _HOST, _RULE, _SWITCH, ("title",)]
    ),
    WILD_VALUES,
)
def test_wild_products_are_read_or_refused_with_a_value_error(
    path: tuple[Any, ...], value: object
) -> None:
    try:
        _compile(_with((path, value)))
    except ValueError as error:
        assert str(error)  # noqa: PT017


def _env(**more: Any) -> dict[str, Any]:
    return {
        "semantics": "Start",
        "env": {"name": "WIDGET", "disabled": "0", "enabled": "1", **more},
    }


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"exclusiveWith": ["WIDGET"]}, "exclusive with WIDGET, which is itself"),
        ({"exclusiveWith": ["W"], "aliases": ["W"]}, "exclusive with W, which is itself"),
        ({"exclusiveWith": ["W_get"], "anyCaseAfter": "W_", "name": "W_GET"}, "which is itself"),
        ({"exclusiveWith": ["W"], "shadows": ["W"]}, "W is in shadows of WIDGET"),
    ],
)
def test_a_switch_that_excludes_what_it_is(env: dict[str, Any], problem: str) -> None:
    (found,) = _problems(_rules({"switches": [_env(**env)]}))
    assert found.startswith("channel Usage, rule 1: ")
    assert problem in found


def test_two_switches_of_the_same_versions_that_exclude_each_other() -> None:
    other = {"semantics": "Start", "env": {"name": "OTHER", "disabled": "0"}}
    excluding = _env(exclusiveWith=["OTHER"])
    for rules, is_wrong in (
        ([{"switches": [excluding, other]}], True),
        (
            [
                {"versions": ["<1"], "switches": [excluding]},
                {"versions": [">=1"], "switches": [other]},
            ],
            False,
        ),
        (
            [
                {"components": ["agent"], "switches": [excluding]},
                {"components": ["server"], "switches": [other]},
            ],
            False,
        ),
    ):
        spec = _rules(*rules)
        if is_wrong:
            (found,) = _problems(spec)
            assert "WIDGET is exclusive with OTHER, which is a switch of the same versions" in found
        else:
            _compile(spec)
    spec = _rules({"switches": [excluding]})
    spec["channels"][1]["rules"] = [{"default": "On", "switches": [other]}]
    assert len(_problems(spec)) == 1


@pytest.mark.parametrize(
    ("switch", "problem"),
    [
        ({"semantics": "None"}, "no switch has an effect"),
        ({**_env(), "sufficient": True}, "a switch that is sufficient stops everything"),
        ({"semantics": "Runtime"}, ""),
        (_env(), ""),
    ],
)
def test_what_leaves_says_is_true_of_the_switches(switch: dict[str, Any], problem: str) -> None:
    spec = _rules({"switches": [switch], "leaves": "one event"})
    if not problem:
        _compile(spec)
        return
    (found,) = _problems(spec)
    assert problem in found


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"switches": [_env(persists=True)]}, ""),
        ({"switches": [_env(persists=True, enabled=None)], "remedy": "Remove the file."}, ""),
        ({"switches": [_env(persists=True, enabled=None)]}, "say in remedy how"),
        ({"switches": [{**_env(persists=True), "semantics": "Seed"}]}, "is no Start switch"),
    ],
)
def test_what_persists_can_be_taken_back_or_it_is_said(rule: dict[str, Any], problem: str) -> None:
    spec = _rules(rule)
    if not problem:
        _compile(spec)
        return
    (found,) = _problems(spec)
    assert found.startswith("channel Usage, rule 1: WIDGET persists")
    assert problem in found


@pytest.mark.parametrize("is_harmless", [True, False])
@pytest.mark.parametrize("mark", ["refuses", "exclusiveWith"])
@pytest.mark.parametrize("same_channel", [True, False])
def test_what_is_set_in_every_version_harms_none(
    mark: str, *, is_harmless: bool, same_channel: bool
) -> None:
    """Where no version can be read, it is set in a version that does not start with it."""
    new = {
        "versions": [">=2"],
        "switches": [_env(name="NEW")],
        "harmlessAnywhere": is_harmless,
    }
    old: dict[str, Any] = {
        "versions": ["<2"],
        "switches": [_env(name="OLD")],
    }
    if mark == "refuses":
        old["refuses"] = [{"env": "NEW", "effect": "it does not start"}]
    else:
        old["switches"][0]["env"]["exclusiveWith"] = ["NEW"]
    if same_channel:
        spec = _rules(new, old)
    else:
        spec = _rules(new)
        spec["channels"][1]["rules"] = [{"default": "On", **old}]
    if is_harmless:
        (found,) = _problems(spec)
        assert "NEW" in found
        assert "the same versions" in found
    else:
        _compile(spec)


def test_a_rule_that_refuses_the_switch_of_another_channel_is_named() -> None:
    spec = _rules({"switches": [_env(aliases=["W"])]})
    for name, is_wrong in (("WIDGET", True), ("W", True), ("OTHER", False)):
        spec["channels"][1]["rules"] = [
            {"default": "On", "refuses": [{"env": name, "effect": "it does not start"}]}
        ]
        if is_wrong:
            (found,) = _problems(spec)
            assert f"it refuses {name}, which channel" in found
        else:
            _compile(spec)
