"""What words without quotes mean in YAML."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.decoding import Decoder
from fleet_telemetry.audit.documents import Chunk
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.fixing.commands import to_yaml
from fleet_telemetry.audit.kubernetes_yaml import LOADER, meaning_of
from fleet_telemetry.audit.plain_yaml import Found
from fleet_telemetry.audit.result import Audit
from fleet_telemetry.audit.sources import Definitions
from tests.support.builders import NOW
from tests.support.depth import examples
from tests.support.every import every

# As sigs.k8s.io/yaml v1.6.0 with go.yaml.in/yaml/v2 v2.4.3 reads them.
_MEANINGS: list[tuple[str, Any]] = [
    *((word, True) for word in ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "ON")),
    *((word, False) for word in ("n", "N", "no", "No", "NO", "false", "False", "off", "Off")),
    *((word, None) for word in ("~", "null", "Null", "NULL")),
    *((word, word) for word in ("yEs", "nO", "tRUE", "nULL", "ye", "nn", "Yy", "none")),
    *((word, 8) for word in ("8", "08", "0_8", "010", "0o10", "0O10", "0b1000", "0B1000", "+8")),
    *((word, -8) for word in ("-8", "-010", "-0o10", "-0b1000", "-0x8", "-08")),
    *((word, 10) for word in ("10", "1_0", "1__0", "10_", "0xa", "0X_A", "1e1", "1E+1", "10.")),
    *((word, 0.5) for word in (".5", "+.5", "0.5", "5e-1", "0_.5", "00.5", ".5_0")),
    ("-.5", -0.5),
    ("18446744073709551615", 2**64 - 1),
    ("18446744073709551616", 2.0**64),
    ("-9223372036854775809", -(2.0**63)),
    ("0777777777777777777777777", 777777777777777777777777.0),
    *((word, word) for word in ("0o8", "0b2", "0b", "0x", "0x_", "0xg", "1e400", "1e", "_1")),
    *((word, word) for word in ("1.2.3", "1:30", "2026-01-01", "=", ".", "+", ".5__0", "._5")),
    ("9" * 5000, "9" * 5000),
    *((word, math.inf) for word in (".inf", "+.Inf", ".INF")),
    ("-.inf", -math.inf),
]  # fmt: skip


@every(("word", "meaning"), _MEANINGS)
def test_a_word_means_what_it_means_to_kubernetes(word: str, meaning: Any) -> None:
    found = meaning_of(word)
    assert found == meaning
    for kind in (bool, str):
        assert isinstance(found, kind) is isinstance(meaning, kind)
    assert yaml.load(f"- {word}", LOADER) == [meaning]


def _value(text: str) -> Any:
    (found,) = Decoder("a.yaml", lambda *_: True, lambda _: True).decode(Chunk(1, text.encode()))
    assert isinstance(found, Found), found
    assert found.manifest is not None
    return found.manifest["a"]


@pytest.mark.parametrize("kind", ["Pod", "!!str Pod"])
@pytest.mark.parametrize("word", ["y", "n", "N", "no", "08", "~"])
def test_a_key_is_text_and_so_is_a_word_in_quotes(kind: str, word: str) -> None:
    """Also where the document is odd, and another reader takes it."""
    inner = f"{{{word}: 0, b: {{<<: {{{word}: '{word}'}}}}}}" if kind != "Pod" else f"{{{word}: 0}}"
    found = _value(f"kind: {kind}\na: {inner}\n")
    assert found[word] == 0
    assert found.get("b", {word: word}) == {word: word}


@every("word", ["!!int n", "!!bool 1", "!!bool x", "!!float y", "!!int 1.5", "!!int x"])
def test_a_word_that_is_not_of_its_tag_is_a_fault(word: str) -> None:
    with pytest.raises(ValueError, match="under tag"):
        yaml.load(f"a: {word}", LOADER)


@examples(300)
@given(st.text("yYnN0189xobe_.+-~=", max_size=5))
def test_what_is_printed_to_be_applied_is_read_as_it_was(text: str) -> None:
    assert yaml.load(to_yaml({text: [text]}), LOADER) == {text: [text]}


_VARIABLES = ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES")


def _grafana(value: str, kind: str = "Deployment") -> Audit:
    env = "".join(
        f"        - name: GF_ANALYTICS_{name}\n          value: {value}\n" for name in _VARIABLES
    )
    text = f"""\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: g}}
spec:
  template:
    spec:
      containers:
      - name: g
        image: grafana/grafana:10.2.0
        env:
{env}"""
    return audit([gather_files(["-"], io.BytesIO(text.encode()), "x", NOW)], NOW, Definitions())


@pytest.mark.parametrize("kind", ["Deployment", "!!str Deployment"])
@pytest.mark.parametrize("value", ["n", "N", "y", "Y", "no", "08", "0o14", "-.5"])
def test_a_variable_without_quotes_that_is_no_text_is_refused(kind: str, value: str) -> None:
    result = _grafana(value, kind)
    assert result.findings == ()
    (problem,) = result.problems
    assert "the variable GF_ANALYTICS_REPORTING_ENABLED" in problem.what
    assert "put it in quotes" in problem.advice
    assert problem.place.line == 12
    assert _grafana(f"'{value}'", kind).problems == ()
