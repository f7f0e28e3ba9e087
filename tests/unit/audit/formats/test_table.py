from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.audit.formats.columns import cut, padded, width, wrapped
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.table import TableFormat
from fleet_telemetry.audit.result import Audit, Coverage, HostName, Place, UnknownImage
from tests.support.audits import an_audit, finding, many, ordinary
from tests.support.depth import examples


def _lines(audit: Audit, **screen: object) -> list[str]:
    return TableFormat().render(audit, Screen(**screen)).splitlines()  # type: ignore[arg-type]


def test_the_first_line_answers_what_phones_home() -> None:
    assert _lines(ordinary)[0] == (
        "2 of 4 channels send, in 2 of 4 workloads with a known product: sonarqube. 1 is unknown. "
        "1 sends nothing. 1 object that runs a known product is no workload that can be judged."
    )


@pytest.mark.parametrize(
    ("audit", "answer"),
    [
        (an_audit(), "No workload was found."),
        (
            an_audit(coverage=Coverage(workloads=2)),
            "No product of the catalogue was found in 2 workloads.",
        ),
        (
            an_audit(finding(sends=Sends.NO)),
            "Nothing is known to phone home, on 1 channel. 1 sends nothing.",
        ),
        (
            an_audit(
                *(finding(product=f"p{at}", channel=one) for at in range(4) for one in ChannelName)
            ),
            "16 of 16 channels send, in 1 of 1 workload with a known product: p0, p1, p2 and p3.",
        ),
    ],
)
def test_answers(audit: Audit, answer: str) -> None:
    assert _lines(audit)[0] == answer


def test_a_long_list_of_products_is_cut() -> None:
    answer = _lines(an_audit(*(finding(name, product=name) for name in "abcdefg")))[0]
    assert answer.endswith("7 workloads with a known product: a, b, c, d, e and 2 more.")


def test_without_a_terminal_each_channel_is_one_line_with_everything() -> None:
    hosts = (HostName(host="a.test"), HostName(host="b.test", port=80))
    lines = _lines(an_audit(finding("x" * 200, hosts=hosts)))
    assert lines[2].split() == [
        *("WORKLOAD", "PRODUCT", "VERSION", "CHANNEL", "SENDS", "WHY", "HOSTS", "WHERE"),
        *("WHAT", "TO", "DO"),
    ]
    assert re.split(r"  +", lines[3]) == [
        f"appsec/StatefulSet/{'x' * 200}",
        *("sonarqube", "26.7.0", "Usage", "Yes", "DefaultApplies", "a.test:443,b.test:80"),
        *("a.yaml:3", "Set it off."),
    ]


def test_on_a_terminal_what_is_said_of_many_is_said_once() -> None:
    text = "\n".join(_lines(ordinary, width=100))
    assert text.count("The default of this version applies.") == 2
    assert text.count("What to do: Set it off.") == 1
    assert text.index("Sends (2)") < text.index("/other ") < text.index("What to do")
    assert text.index("What to do") < text.index("Unknown (1)") < text.index("/emqx ")


def test_workloads_that_differ_in_version_and_evidence_are_explained_together() -> None:
    other = finding("other", version="27", declared=Setting.UNSET, place=Place(file="b.yaml"))
    text = "\n".join(_lines(an_audit(finding(), other), width=100))
    assert text.count("What to do: Set it off.") == 1


def test_what_sends_nothing_is_counted_and_listed_on_demand() -> None:
    assert "Not listed: 1 channel (sends nothing); --all lists them." in _lines(ordinary)
    assert not [line for line in _lines(ordinary) if "/quiet" in line]
    assert [line for line in _lines(ordinary, every=True) if "/quiet" in line]


@pytest.mark.parametrize("columns", [60, 70, 80, 100, 120, 160, 200, 300])
def test_rows_fit_and_keep_their_most_important_columns(columns: int) -> None:
    wide = finding(
        "日本語" * 20, version="v" * 40, product="p" * 60, namespace="😀" * 10, reason="R" * 30
    )
    lines = _lines(an_audit(wide, finding()), width=columns)
    assert max(map(width, lines)) <= columns
    rows = [line for line in lines if re.search(r" Usage +Yes( |$)", line)]
    assert len(rows) == 2
    assert all(width(row) > 50 for row in rows)


def test_the_version_is_cut_before_the_workload() -> None:
    long = finding("w" * 30, version="1.2.3-" + "b" * 40)
    row = next(line for line in _lines(an_audit(long), width=100) if "Usage" in line)
    assert "w" * 30 in row
    assert re.search(r"1\.2\.3-b*…b+ ", row)


def test_a_column_for_the_state_where_policies_were_applied() -> None:
    bad = finding(
        "bad", state=State.NON_COMPLIANT, state_reason="InjectionOff", state_message="No."
    )
    lines = _lines(an_audit(bad, finding("free"), judged=True), width=120)
    text = "\n".join(lines)
    assert "By the policies: 1 NonCompliant, 1 without a policy." in text
    assert re.search(r"/bad .* Yes +NonCompliant +InjectionOff", text)
    assert "Not as the policies ask (1)" in text
    assert "Without a policy (1)" in text
    assert max(map(width, _lines(an_audit(bad, judged=True), width=60))) <= 60


def test_colours_only_repeat_what_words_say() -> None:
    plain = TableFormat().render(ordinary, Screen(width=80))
    coloured = TableFormat().render(ordinary, Screen(width=80, colour=True))
    assert "\x1b[" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert coloured != plain


def test_coverage_and_problems_are_part_of_the_answer() -> None:
    text = "\n".join(_lines(ordinary))
    assert "The catalogue does not know 2 images, so nothing can be said of them." in text
    assert "docker.io/library/nginx  4 containers" in text
    assert "The result is not complete (1 problem):" in text
    assert "bad.yaml:12: A tab indents.; Use spaces." in text
    assert "appsec/Pod/bare: emqx (emqx/emqx:5.8.9)" in text


def test_a_long_list_of_images_is_cut() -> None:
    images = tuple(UnknownImage(image=f"i{at}", containers=1) for at in range(50))
    audit = an_audit(unknown_images=images, coverage=Coverage(workloads=50, unknown_images=70))
    lines = _lines(audit)
    assert len([line for line in lines if re.match(r"    i\d", line)]) == 20
    assert "    30 more images; --all lists them." in lines
    assert "does not know 70 images" in "\n".join(lines)
    assert len([line for line in _lines(audit, every=True) if re.match(r"    i\d", line)]) == 50


def test_standard_input_and_clusters_are_named() -> None:
    lines = _lines(an_audit(finding(place=Place(file="-", line=7))))
    assert "standard input:7" in lines[3]
    lines = _lines(an_audit(finding(place=Place(cluster="east"))))
    assert lines[3].startswith("east/appsec/StatefulSet/sonar ")


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("ab", 2), ("日本", 4), ("😀", 2), ("e\u0301", 1), ("é", 1)]
)
def test_characters_take_the_columns_of_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns


def test_five_thousand_rows() -> None:
    assert len(_lines(many(5000), width=80, every=True)) < 5100


@given(
    st.text(st.characters(exclude_categories=("C", "Z"))), st.integers(min_value=1, max_value=40)
)
@examples(200)
def test_a_cut_text_takes_the_columns_it_may_and_keeps_its_ends(text: str, columns: int) -> None:
    result = cut(text, columns)
    assert width(result) <= columns
    if width(text) <= columns:
        assert result == text
    else:
        head, tail = result.split("…", 1) if "…" not in text else ("", "")
        assert text.startswith(head)
        assert text.endswith(tail)
    assert width(padded(result, columns)) == columns


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp"))), st.integers(12, 60))
@examples(200)
def test_a_wrapped_text_loses_nothing(text: str, columns: int) -> None:
    lines = list(wrapped(text, columns, "  "))
    assert all(width(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
