"""One HTML page that holds everything: it loads nothing, and can be read without its script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from html import escape
from importlib import resources

from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.groups import Cause, Group, causes_of, group_of
from fleet_telemetry.audit.result import Audit, Finding, HostName

_FILTERS: tuple[tuple[str, str, Callable[[Finding], str]], ...] = (
    ("sends", "Sends", lambda one: one.sends.value),
    ("state", "State", lambda one: one.state.value if one.state else ""),
    ("product", "Product", lambda one: wording.name(one.product)),
    ("channel", "Channel", lambda one: one.channel.value),
    ("namespace", "Namespace", lambda one: wording.name(one.namespace)),
    ("cluster", "Cluster", lambda one: wording.name(one.place.cluster)),
)
_OF_ROW = ("namespace", "cluster")


class HtmlFormat:
    """For a person with a browser, on paper, or with a screen reader."""

    name = "html"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        causes = causes_of(audit)
        parts = (
            _head(audit),
            "<body>",
            '<a class="skip" href="#findings">Skip to the findings</a>',
            *_summary(audit),
            *_contents(audit),
            "<main>",
            *_findings(audit, causes),
            *_unmanaged(audit),
            *_hosts(audit),
            *_advice(audit),
            *_coverage(audit),
            *_problems(audit),
            "</main>",
            f"<footer>{escape(wording.made_by(audit))}</footer>",
            f"<script>{_asset('page.js')}</script>",
            "</body>",
            "</html>",
        )
        return "\n".join(parts) + "\n"


@cache
def _asset(file: str) -> str:
    return resources.files(__package__).joinpath("page", file).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _head(audit: Audit) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>Telemetry audit, {escape(wording.time(audit))}</title>\n"
        f"<style>{style}</style>\n</head>"
    )


def _summary(audit: Audit) -> Iterator[str]:
    yield "<header>"
    yield "<h1>What phones home here?</h1>"
    yield f'<p class="headline">{escape(wording.headline(audit))}</p>'
    if audit.judged:
        yield f"<p>{escape(wording.judgement(audit))}</p>"
    if audit.findings:
        yield from _shares(audit)
    yield f"<p>{escape(wording.coverage(audit))}</p>"
    if audit.problems:
        link = f'<a href="#problems">{wording.count(len(audit.problems), "problem")}</a>'
        yield f"<p><strong>The result is not complete: {link}.</strong></p>"
    yield "</header>"


def _shares(audit: Audit) -> Iterator[str]:
    numbers = {
        group: sum(group_of(audit, one) is group for one in audit.findings) for group in Group
    }
    total = len(audit.findings)
    proven = total - numbers[Group.UNKNOWN]
    yield (
        f"<p>Proven answers: {proven:,} of {wording.count(total, 'channel')} "
        f"({proven * 100 // total} %).</p>"
    )
    yield '<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">'
    left = 0
    for group, number in numbers.items():
        start, end = (at * 1000 / total for at in (left, left + number))
        yield f'<rect class="{group.value}" x="{start:.1f}" width="{end - start:.1f}" height="10"/>'
        left += number
    yield "</svg>"
    yield '<ul class="shares">'
    for group, number in numbers.items():
        if number:
            heading = escape(group.heading(judged=audit.judged))
            yield (
                f'<li class="{group.value}"><strong>{heading}</strong>: {number:,} '
                f"({number * 100 / total:.0f} %)</li>"
            )
    yield "</ul>"


def _contents(audit: Audit) -> Iterator[str]:
    links = {"findings": "Findings", "hosts": "Hosts", "coverage": "Coverage"}
    if audit.unmanaged:
        links["unmanaged"] = "Not judged"
    if audit.policy_advice:
        links["advice"] = "Advice"
    if audit.problems:
        links["problems"] = "Problems"
    items = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title in links.items())
    yield f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _findings(audit: Audit, causes: Iterable[Cause]) -> Iterator[str]:
    yield '<section id="findings" aria-labelledby="findings-title" tabindex="-1">'
    yield '<h2 id="findings-title">Findings</h2>'
    yield from _filters(audit)
    yield '<p id="shown" role="status"></p>'
    for cause in causes:
        yield from _cause(audit, cause)
    yield "</section>"


def _filters(audit: Audit) -> Iterator[str]:
    yield '<form id="filters" aria-label="Filter the findings" autocomplete="off" hidden>'
    for key, title, value in _FILTERS:
        values = sorted({value(one) for one in audit.findings})
        if values in ([], [""]):
            continue
        # The sign before each value keeps an empty one apart from "all".
        options = "".join(
            f'<option value="={escape(each)}">{escape(each) or "none"}</option>' for each in values
        )
        yield (
            f'<div><label for="filter-{key}">{title}</label>'
            f'<select id="filter-{key}" name="{key}"><option value="">all</option>'
            f"{options}</select></div>"
        )
    yield (
        '<div><label for="filter-text">Text</label>'
        '<input id="filter-text" type="search" name="text"></div>'
    )
    yield '<button type="reset">Show all</button>'
    yield "</form>"


def _cause(audit: Audit, cause: Cause) -> Iterator[str]:
    common = cause.common
    data = _data(common, [key for key, _, _ in _FILTERS if key not in _OF_ROW])
    yield f'<article class="{cause.group.value}" {data}>'
    title = escape(wording.name(common.title or common.product))
    yield f"<h3>{title}: {common.channel.value}</h3>"
    answer = wording.SENDS_WORDS[common.sends]
    state = f", {common.state.value}" if common.state else ""
    heading = escape(f"{cause.group.heading(judged=audit.judged)}")
    yield (
        f'<p class="group">{heading}</p>'
        if answer == heading.lower()
        else f'<p class="group">{heading} ({answer}{state})</p>'
    )
    reason, message = wording.why(common, judged=audit.judged)
    yield f"<p>{escape(message)} <code>{escape(reason)}</code></p>"
    advice = wording.what_to_do(common)
    if advice and cause.group is not Group.FINE:
        yield f"<p><strong>What to do:</strong> {escape(advice)}</p>"
    if common.hosts:
        hosts = ", ".join(f"<code>{escape(wording.host(one))}</code>" for one in common.hosts)
        yield f"<p>Hosts: {hosts}</p>"
    number = wording.count(len(cause.findings), "workload")
    yield (
        f'<table><caption>{number}</caption><thead><tr><th scope="col">Workload</th>'
        '<th scope="col" class="version">Version</th>'
        '<th scope="col" class="evidence">Evidence</th></tr></thead><tbody>'
    )
    for one in cause.findings:
        yield _row(one)
    yield "</tbody></table>"
    yield "</article>"


def _row(one: Finding) -> str:
    evidence = {
        "Declared": one.declared.value,
        "Running": one.running.value,
        "Reported": one.reported.value,
        "Network": one.egress.value,
        "Observed": wording.observed(one),
        "Facts from": one.provenance.value if one.provenance else "",
        "Policy": wording.policy(one),
        "Where": wording.place(one.place),
    }
    details = "".join(
        f"<dt>{title}</dt><dd>{escape(value)}</dd>" for title, value in evidence.items() if value
    )
    return (
        f'<tr {_data(one, _OF_ROW)}><th scope="row">{escape(wording.workload(one))}</th>'
        f"<td>{escape(wording.name(one.version))}</td>"
        f"<td><details><summary>declared {one.declared.value}, running {one.running.value}"
        f"</summary><dl>{details}</dl></details></td></tr>"
    )


def _data(one: Finding, keys: Iterable[str]) -> str:
    values = {key: value for key, _, value in _FILTERS}
    return " ".join(f'data-{key}="{escape(values[key](one))}"' for key in keys)


def _unmanaged(audit: Audit) -> Iterator[str]:
    if audit.unmanaged:
        yield '<section id="unmanaged" aria-labelledby="unmanaged-title" tabindex="-1">'
        yield '<h2 id="unmanaged-title">Not judged</h2>'
        yield f"<p>{escape(wording.unmanaged(audit))}</p>"
        yield (
            '<table><caption>Objects</caption><thead><tr><th scope="col">Object</th>'
            '<th scope="col">Products</th><th scope="col">What to do</th></tr></thead><tbody>'
        )
        for one in audit.unmanaged:
            where = wording.place(one.place)
            yield (
                f'<tr><th scope="row">{escape(wording.object_name(one))}<br>{escape(where)}</th>'
                f"<td>{escape(wording.products(one))}</td>"
                f"<td>{escape(wording.prose(one.advice))}</td></tr>"
            )
        yield "</tbody></table>"
        yield "</section>"


def _hosts(audit: Audit) -> Iterator[str]:
    hosts = wording.firewall_hosts(audit.findings)
    yield '<section id="hosts" aria-labelledby="hosts-title" tabindex="-1">'
    yield '<h2 id="hosts-title">Hosts for the firewall</h2>'
    if not hosts:
        yield "<p>No channel that sends or may send has a known host.</p>"
    else:
        yield "<p>The hosts of every channel that sends or may send.</p>"
        yield '<button type="button" id="copy" hidden>Copy the list</button>'
        lines = dict.fromkeys(wording.host(one) for one in hosts)
        listed = escape("\n".join(lines))
        yield f'<pre id="host-list" tabindex="0" aria-label="Hosts, one a line">{listed}</pre>'
        yield (
            '<table><caption>What uses them</caption><thead><tr><th scope="col">Host</th>'
            '<th scope="col">Used by</th><th scope="col">Note</th></tr></thead><tbody>'
        )
        for one, used_by in hosts.items():
            yield _host(one, used_by)
        yield "</tbody></table>"
    yield "</section>"


def _host(one: HostName, used_by: Iterable[str]) -> str:
    return (
        f'<tr><th scope="row">{escape(wording.host(one))}</th>'
        f"<td>{escape(', '.join(used_by))}</td><td>{escape(wording.host_notes(one))}</td></tr>"
    )


def _coverage(audit: Audit) -> Iterator[str]:
    yield '<section id="coverage" aria-labelledby="coverage-title" tabindex="-1">'
    yield '<h2 id="coverage-title">Coverage</h2>'
    yield f"<p>{escape(wording.coverage(audit))}</p>"
    if audit.unknown_images:
        yield (
            "<table><caption>Images that the catalogue does not know</caption><thead><tr>"
            '<th scope="col">Image</th><th scope="col" class="number">Containers</th>'
            "</tr></thead><tbody>"
        )
        for one in audit.unknown_images:
            image = escape(wording.name(one.image))
            yield f'<tr><th scope="row">{image}</th><td>{one.containers:,}</td></tr>'
        yield "</tbody></table>"
    yield "</section>"


def _advice(audit: Audit) -> Iterator[str]:
    if audit.policy_advice:
        yield '<section id="advice" aria-labelledby="advice-title" tabindex="-1">'
        yield f'<h2 id="advice-title">{wording.ADVICE_HEADING}</h2>'
        yield "<ul>"
        for one in audit.policy_advice:
            yield f"<li>{escape(wording.policy_advice(one))}</li>"
        yield "</ul>"
        yield "</section>"


def _problems(audit: Audit) -> Iterator[str]:
    if audit.problems:
        yield '<section id="problems" aria-labelledby="problems-title" tabindex="-1">'
        yield '<h2 id="problems-title">Problems</h2>'
        yield "<p>This could not be read. The rest of the page is right, and not complete.</p>"
        yield "<ul>"
        for one in audit.problems:
            yield f"<li>{escape(wording.problem(one))}</li>"
        yield "</ul>"
        yield "</section>"
