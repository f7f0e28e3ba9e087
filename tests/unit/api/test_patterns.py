"""A text of the wrong form is answered with a sentence, by the CRDs and by the types alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api import resources
from fleet_telemetry.api.policy import TelemetryPolicySpec
from fleet_telemetry.api.schema import Pattern, Rule, described, explain
from tests.support.crd_cases import nodes
from tests.support.patterns import PATTERNS

CRDS = Path(resources.__file__).resolve().parents[3] / "crds"
CHEAP = [pattern for pattern in PATTERNS if pattern.cheap]
OF_EACH = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda one: one.expression)
OF_EACH_CHEAP = pytest.mark.parametrize("pattern", CHEAP, ids=lambda one: one.expression)
_QUOTED = re.compile(r"r?'[^']*'")
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not "}


def schemas() -> list[tuple[str, dict[str, object]]]:
    found = []
    for path in sorted(CRDS.iterdir()):
        (version,) = yaml.safe_load(path.read_text())["spec"]["versions"]
        for where, schema in nodes(version["schema"]["openAPIV3Schema"]):
            found.append((f"{path.stem}:{where}", schema))
    return found


@pytest.mark.thorough
def test_the_crds_have_one_pattern_without_a_sentence() -> None:
    """There may be too many of these for any rule: 65,536 in one product."""
    bare = [where for where, schema in schemas() if "pattern" in schema]
    place = "spec.channels[].rules[].switches[].seedProof.redirectedBy[]"
    assert bare == [f"telemetryproducts:{place}"]


@pytest.mark.thorough
def test_every_pattern_is_a_rule_of_a_crd() -> None:
    messages = {
        rule["message"]
        for _, schema in schemas()
        for rule in schema.get("x-kubernetes-validations", ())  # type: ignore[attr-defined]
    }
    assert {pattern.message for pattern in PATTERNS} <= messages


@OF_EACH
def test_a_pattern_can_stand_in_a_rule(pattern: Pattern) -> None:
    """A raw text of CEL ends at the first quote, and the message is one line."""
    assert "'" not in pattern.expression
    assert "\n" not in pattern.message
    assert pattern.message[0].islower()
    assert "^" not in pattern.message


def in_python(rule: Rule, text: str) -> bool:
    """What the API server makes of a cheap rule. RE2 knows letters of ASCII alone in \\w."""
    parts = _QUOTED.split(rule.expression)
    for operator, word in _OPERATORS.items():
        parts = [part.replace(operator, word) for part in parts]
    quoted = [*_QUOTED.findall(rule.expression), ""]
    expression = "".join(part + text for part, text in zip(parts, quoted, strict=True))
    expression = expression.replace("self.matches(", "matches(self, ")
    names = {
        "matches": lambda of, what: re.search(what, of, re.ASCII) is not None,
        "self": text,
    }
    return bool(eval(expression.replace("self.startsWith", "self.startswith"), names))


def test_the_cheap_rules_are_found() -> None:
    assert {pattern.expression for pattern in CHEAP} >= {r"^[-._A-Za-z][-._A-Za-z0-9]*$"}
    assert len(CHEAP) == 4


@OF_EACH_CHEAP
@given(
    text=st.text(min_size=1)
    | st.text(alphabet="aZ09._-/ \t\0[]{}:@`=\x7f\u00e9\u0665", min_size=1)
    | st.just("Cloudflare")
)
def test_a_cheap_rule_is_the_pattern(pattern: Pattern, text: str) -> None:
    # Before a line break at the end, Python's $ matches and that of RE2 does not.
    expected = not text.endswith("\n") and re.search(pattern.expression, text) is not None
    assert in_python(pattern.rule, text) is expected


def test_a_text_of_the_wrong_form_is_explained() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"products": ["Sonar Qube"]}, TelemetryPolicySpec)
    assert explain(caught.value) == (
        "the name has lower case letters, digits and dashes, and begins and ends with a letter or "
        "a digit - at `$.products[0]`"
    )


@pytest.mark.parametrize("text", ["Expected `int`, got `str`", "", "Expected `str` matching regex"])
def test_other_errors_stay_as_they_are(text: str) -> None:
    assert explain(ValueError(text)) == text


def test_a_rule_of_the_same_sentence_stands_for_the_pattern() -> None:
    pattern = Pattern("^a+$", "only a")
    for rules, expected in (
        ((), [pattern.rule.expression]),
        ((Rule("true", "only a"),), ["true"]),
        ((Rule("true", "other"),), [pattern.rule.expression, "true"]),
    ):
        extra = described("It.", pattern=pattern, rules=rules).extra_json_schema
        assert extra is not None
        assert [rule["rule"] for rule in extra["x-kubernetes-validations"]] == expected
    bare = described("It.", pattern=pattern, too_many=True)
    assert (bare.pattern, bare.extra_json_schema) == ("^a+$", None)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("b", Annotated[str, bare])
