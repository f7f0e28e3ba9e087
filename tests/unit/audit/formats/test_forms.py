"""What each form has of its own."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from xml.etree import ElementTree as ET

import msgspec
import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.workload_telemetry import ChannelPolicy, Sends, State
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.markdown import MOST_CHARACTERS
from fleet_telemetry.audit.formats.registry import FORMATS
from fleet_telemetry.audit.result import Audit, Change, HostName, Place, Problem, UnknownImage
from tests.support import sarif
from tests.support.audits import an_audit, finding, many, ordinary


def _rendered(name: str, audit: Audit, *, every: bool = False) -> str:
    return FORMATS[name].render(audit, Screen(every=every))


def _records(audit: Audit) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_rendered("csv", audit), newline="")))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"],
)
def test_csv_cells_are_no_formulas(text: str) -> None:
    record = _records(an_audit(finding(text, remedy=text, hosts=(HostName(host=text),))))[0]
    for column in ("name", "whatToDo", "hosts"):
        assert re.match(r"['\\]", record[column]), record[column]


def test_csv_says_what_each_record_is() -> None:
    records = _records(ordinary)
    assert [one["record"] for one in records] == [
        *["channel"] * 4,
        *("unmanaged", "unknownImage", "unknownImage", "policyAdvice", "problem"),
    ]
    assert records[0]["hosts"] == "telemetry.sonarsource.com:443"
    assert (records[0]["file"], records[0]["line"]) == ("a.yaml", "3")
    assert records[-1]["whatToDo"] == "Use spaces."


def test_csv_quotes_are_doubled() -> None:
    assert '"a""b,c"' in _rendered("csv", an_audit(finding('a"b,c')))


def test_what_to_do_names_the_changes_first() -> None:
    changes = (
        Change(container="web", entry="A=false"),
        Change(container="web", entry="--b", removed=True),
        Change(container="", entry="spec.suspend=true"),
    )
    record = _records(an_audit(finding(changes=changes)))[0]
    assert record["whatToDo"] == (
        "Set A=false in container web. Remove --b from container web. Set spec.suspend=true. "
        "Set it off."
    )


def test_markdown_fits_a_comment_and_says_what_is_left_out() -> None:
    images = tuple(UnknownImage(image=f"registry.test/i{at}", containers=1) for at in range(5000))
    problems = tuple(
        Problem(place=Place(file=f"{at}.yaml"), what="bad", advice="mend it") for at in range(5000)
    )
    audit = msgspec.structs.replace(many(5000), unknown_images=images, problems=problems)
    text = _rendered("markdown", audit, every=True)
    assert len(text) <= MOST_CHARACTERS
    left_out = re.findall(r"^([\d,]+) more (row|problem|image)s do not fit", text, re.MULTILINE)
    shown = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(shown) + sum(int(number.replace(",", "")) for number, _ in left_out) == 15_000
    # The most urgent rows are those that are there.
    assert text.index("### Sends") < text.index("`team-0/StatefulSet/workload-0`")


def test_markdown_keeps_names_readable() -> None:
    text = _rendered("markdown", ordinary)
    assert "| `appsec/StatefulSet/sonar` | `sonarqube` | `26.7.0` | Usage | Yes |" in text
    assert "### Sends nothing (1)\n\nNot listed; `--all` lists them." in text


def test_sarif_fingerprints_outlive_a_moved_line() -> None:
    def prints(*findings: object) -> list[str]:
        log = sarif.read(_rendered("sarif", an_audit(*findings)))  # type: ignore[arg-type]
        return [one.partial_fingerprints["telemetryChannel/v1"] for one in log.runs[0].results]

    before = prints(finding(place=Place(file="a.yaml", line=3)))
    after = prints(finding(place=Place(file="./a.yaml", line=30), version="27", message="x"))
    assert before == after
    others = [
        finding(place=Place(file="b.yaml")),
        finding("other"),
        finding(channel=ChannelName.LICENSE),
        finding(product="emqx"),
        finding(namespace="x"),
        finding(kind="Deployment"),
        finding(place=Place(cluster="east")),
        finding(place=Place(cluster="west")),
    ]
    assert len({*before, *prints(*others)}) == len(others) + 1
    assert len(set(prints(finding(), finding()))) == 2


@pytest.mark.parametrize(
    ("file", "uri", "base"),
    [
        ("a/b c.yaml", "a/b%20c.yaml", "%SRCROOT%"),
        ("./a.yaml", "a.yaml", "%SRCROOT%"),
        ("../a.yaml", "../a.yaml", ""),
        ("/tmp/#1?.yaml", "file:///tmp/%231%3F.yaml", ""),
        ("//host/a.yaml", "file:///host/a.yaml", ""),
        ("c:x.yaml", "c%3Ax.yaml", "%SRCROOT%"),
        ("\udcff.yaml", "%3F.yaml", "%SRCROOT%"),
    ],
)
def test_sarif_names_files(file: str, uri: str, base: str) -> None:
    log = sarif.read(_rendered("sarif", an_audit(finding(place=Place(file=file, line=3)))))
    physical = log.runs[0].results[0].locations[0].physical_location
    assert physical is not None
    assert physical.artifact_location == sarif.Artifact(uri, base)
    assert physical.region == sarif.Region(3)


def test_sarif_names_what_is_in_a_cluster() -> None:
    log = sarif.read(_rendered("sarif", an_audit(finding(place=Place(cluster="east")))))
    location = log.runs[0].results[0].locations[0]
    assert location.physical_location is None
    assert location.logical_locations[0].fully_qualified_name == "east/appsec/StatefulSet/sonar"


def test_sarif_levels_rules_and_notifications() -> None:
    run = sarif.read(_rendered("sarif", ordinary)).runs[0]
    assert [one.level for one in run.results] == ["error", "error", "warning", "warning", "note"]
    assert [one.id for one in run.tool.driver.rules] == ["sonarqube/Usage", "emqx/Usage"]
    assert run.tool.driver.version == "1.2.3"
    invocation = run.invocations[0]
    assert (invocation.execution_successful, invocation.exit_code) == (False, 1)
    assert [one.level for one in invocation.tool_execution_notifications] == [
        "error",
        "note",
        "note",
    ]


def test_junit_fails_skips_and_passes() -> None:
    root = ET.fromstring(_rendered("junit", ordinary))
    outcomes = {case.attrib["classname"]: case[0].tag for case in root.iter("testcase")}
    assert outcomes == {
        "appsec/StatefulSet/sonar": "failure",
        "appsec/StatefulSet/other": "failure",
        "appsec/StatefulSet/emqx": "skipped",
        "appsec/StatefulSet/quiet": "system-out",
        "appsec/Pod/bare": "skipped",
        "image": "skipped",
        "ClusterTelemetryPolicy opt-out": "system-out",
        "bad.yaml:12": "error",
    }
    numbers = {key: root.attrib[key] for key in ("tests", "failures", "errors", "skipped")}
    assert numbers == {"tests": "9", "failures": "2", "errors": "1", "skipped": "4"}


def test_junit_judges_by_the_policies() -> None:
    findings = (
        finding("bad", state=State.NOT_ENFORCEABLE, state_reason="X", state_message="No switch."),
        finding("allowed", state=State.COMPLIANT),
        finding("waits", sends=Sends.NO, state=State.PENDING),
        finding("free"),
    )
    root = ET.fromstring(_rendered("junit", an_audit(*findings, judged=True)))
    outcomes = {case.attrib["classname"][19:]: case[0].tag for case in root.iter("testcase")}
    assert outcomes == {
        "bad": "failure",
        "allowed": "system-out",
        "waits": "skipped",
        "free": "skipped",
    }
    failure = next(root.iter("failure"))
    assert failure.attrib == {"message": "NotEnforceable. No switch.", "type": "X"}


def _css_colours(style: str, *, dark: bool) -> dict[str, str]:
    roots = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", roots[1 if dark else 0]))


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_html_has_contrast(dark: bool) -> None:
    style = re.search(r"<style>(.*?)</style>", _rendered("html", ordinary), re.DOTALL)
    assert style
    colours = _css_colours(style[1], dark=dark)
    for ground in ("ground", "raised"):
        for ink in ("text", "faint", "link", "violation", "unknown", "uncovered", "fine"):
            light, shade = sorted(map(_luminance, (colours[ground], colours[ink])), reverse=True)
            # WCAG 2.2, 1.4.3.
            assert (light + 0.05) / (shade + 0.05) >= 4.5, (ground, ink)


def test_html_allows_its_own_script_and_style_and_nothing_else() -> None:
    text = _rendered("html", ordinary)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert set(rules) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for tag in ("style", "script"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert not re.search(r'\s(src|style|on\w+)\s*=|href="(?!#)|@import|url\(', text)


def test_html_begins_with_what_is_urgent() -> None:
    findings = (
        finding("a", product="z", state=State.NON_COMPLIANT),
        finding("b", product="y", state=State.UNKNOWN),
        finding("c", product="x"),
        finding("d", product="w", state=State.COMPLIANT),
    )
    text = _rendered("html", an_audit(*findings, judged=True))
    assert re.findall('<article class="([a-z]+)"', text) == [
        *("violation", "unknown", "uncovered", "fine")
    ]


@pytest.mark.thorough
def test_html_stays_small() -> None:
    assert len(_rendered("html", many(5000))) < 2_000_000
    assert len(_rendered("html", many(5000, distinct=True))) < 5_000_000
    long = an_audit(*(finding(f"w{at}", message="x" * 10**5) for at in range(100)))
    assert len(_rendered("html", long)) < 100_000


def test_html_lists_the_hosts_of_what_may_send() -> None:
    findings = (
        finding("a", hosts=(HostName(host="z.a.test"), HostName(host="b.test", port=80))),
        finding("b", sends=Sends.UNKNOWN, hosts=(HostName(host="b.test", port=80),)),
        finding("c", sends=Sends.NO, hosts=(HostName(host="quiet.test"),)),
        finding("d", hosts=(HostName(host="c.test", sent_by_browser=True, also_serves="images"),)),
    )
    text = _rendered("html", an_audit(*findings))
    hosts = re.search(r"<pre [^>]*>(.*?)</pre>", text, re.DOTALL)
    assert hosts
    assert hosts[1].split() == ["z.a.test:443", "b.test:80", "c.test:443"]
    assert "browsers of its users contact it, not the cluster; also serves images" in text


def test_html_shows_the_share_the_evidence_the_release_and_the_time() -> None:
    policy = ChannelPolicy(kind="TelemetryPolicy", namespace="appsec", name="out")
    text = _rendered(
        "html",
        msgspec.structs.replace(ordinary, findings=(finding(policy=policy), *ordinary.findings)),
    )
    assert "Proven answers: 4 of 5 channels (80 %)." in text
    assert "<dt>Policy</dt><dd>TelemetryPolicy appsec/out</dd>" in text
    assert "<dt>Where</dt><dd>a.yaml:3</dd>" in text
    footer = (
        "fleet-telemetry 1.2.3, catalogue 0123456789ab with 167 products, 2026-11-29 12:00:00 UTC"
    )
    assert f"<footer>{footer}</footer>" in text


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("json", "yaml", "csv")])
def test_advice_on_policies_is_in_every_form(name: str) -> None:
    text = _rendered(name, ordinary)
    for part in ("p.yaml", "ClusterTelemetryPolicy opt-out", "spec.products: nothing runs it."):
        assert part in text
    assert "spec.products" not in _rendered(name, an_audit(finding()))
