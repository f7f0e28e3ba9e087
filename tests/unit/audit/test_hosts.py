"""Lists of telemetry hosts for firewalls and name servers."""

from __future__ import annotations

import csv
import io
import json
import re
from ipaddress import ip_address
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.audit.hosts.formats.format import notes
from fleet_telemetry.audit.hosts.formats.registry import HOST_FORMATS
from fleet_telemetry.audit.hosts.listing import (
    Action,
    HostList,
    Use,
    hosts_of_findings,
    hosts_of_products,
    make_list,
)
from fleet_telemetry.audit.result import HostName
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.cli.hosts import CHANNEL_NAMES, FORMAT_NAMES, hosts
from tests.support.fixes import audited, every_row, manifest_of

USAGE, UPDATES = ChannelName.USAGE, ChannelName.UPDATE_CHECK
A, B = Use("acme", USAGE), Use("beta", UPDATES)
NAME = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+")


def _catalogue(action: Action, *, include_shared: bool = False) -> HostList:
    found = hosts_of_products(builtin().products.values())
    return make_list(found, action, include_shared=include_shared)


def _render(form: str, listed: HostList) -> str:
    return HOST_FORMATS[form].render(listed)


def _lines(form: str, listed: HostList, comment: str) -> list[str]:
    lines = _render(form, listed).splitlines()
    return [line for line in lines if not line.startswith(comment)]


# What is listed


def test_the_order_is_that_of_the_names_whatever_comes_first() -> None:
    found = [
        (A, HostName(host=f"{name}.example", port=port)) for name in "cab" for port in (80, 443)
    ]
    listed = make_list(found, Action.DENY)
    assert listed == make_list(reversed(found), Action.DENY)
    assert listed.names == ("a.example", "b.example", "c.example")
    assert [(one.host, one.port) for one in listed.hosts][:2] == [
        ("a.example", 80),
        ("a.example", 443),
    ]


def test_a_host_of_several_channels_is_listed_once_with_each() -> None:
    found = [(use, HostName(host="t.example")) for use in (B, A, B)]
    (one,) = make_list(found, Action.DENY).hosts
    assert one.uses == (A, B)


def test_a_host_that_pods_connect_to_as_well_is_not_one_of_browsers() -> None:
    hosts_ = [HostName(host="t.example", sent_by_browser=by) for by in (True, False)]
    for found in (hosts_, hosts_[::-1]):
        (one,) = make_list([(A, host) for host in found], Action.DENY).hosts
        assert not one.sent_by_browser
    (one,) = make_list([(A, hosts_[0])], Action.DENY).hosts
    assert one.sent_by_browser
    assert list(notes(make_list([(A, hosts_[0])], Action.DENY))) == [
        "t.example:443: only browsers connect to it, not the pods."
    ]


def test_a_denial_leaves_out_what_serves_something_else_on_any_port() -> None:
    found = [
        (A, HostName(host="t.example", port=443, also_serves="updates")),
        (B, HostName(host="t.example", port=8443)),
        (B, HostName(host="u.example")),
    ]
    denied = make_list(found, Action.DENY)
    assert denied.names == ("u.example",)
    assert [(one.host, one.port) for one in denied.left_out] == [
        ("t.example", 443),
        ("t.example", 8443),
    ]
    for listed in (
        make_list(found, Action.DENY, include_shared=True),
        make_list(found, Action.ALLOW),
    ):
        assert listed.names == ("t.example", "u.example")
        assert listed.left_out == ()
        assert "t.example:8443 also serves: updates" in list(notes(listed))


def test_hosts_of_what_runs_are_those_of_the_version() -> None:
    row = next(every_row("sonarqube"))
    found = list(hosts_of_findings(audited(manifest_of(row)).findings))
    assert "telemetry.sonarsource.com" in make_list(found, Action.DENY).names
    usage = hosts_of_findings(audited(manifest_of(row)).findings, [USAGE])
    assert {use.channel for use, _ in usage} == {USAGE}


# The forms


def test_the_command_knows_the_forms_and_the_channels() -> None:
    assert tuple(HOST_FORMATS) == FORMAT_NAMES
    assert set(CHANNEL_NAMES) == {channel.value for channel in ChannelName}


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_every_form_names_every_host(form: str) -> None:
    for action in HOST_FORMATS[form].actions:
        listed = _catalogue(action, include_shared=True)
        text = _render(form, listed)
        for name in listed.names:
            written = name.replace(".", r"\.") if form == "coredns" else name
            assert written in text
        assert text.endswith("\n")


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_what_is_left_out_is_denied_by_no_line(form: str) -> None:
    listed = _catalogue(Action.DENY)
    assert len(listed.left_out) > 20
    for line in _render(form, listed).splitlines():
        if line.startswith(("#", ";", "!", "@@")) or "transparent" in line or line.endswith("#"):
            continue
        if form in ("csv", "json"):
            return
        assert not {one.host for one in listed.left_out} & {*NAME.findall(line)}


def test_a_zone_is_one_that_name_servers_load() -> None:
    for action, target in ((Action.DENY, "."), (Action.ALLOW, "rpz-passthru.")):
        listed = _catalogue(action)
        zone = dns.zone.from_text(_render("rpz", listed), origin="rpz.example.", relativize=True)
        found = {}
        for name, rdata in zone.iterate_rdatasets(dns.rdatatype.CNAME):
            found[name.to_text()] = rdata[0].target.derelativize(zone.origin).to_text()
        assert found == dict.fromkeys(listed.names, target)
        zone.check_origin()


def test_the_serial_of_a_zone_is_the_one_given() -> None:
    listed = make_list([(A, HostName(host="t.example"))], Action.DENY, serial=1767225600)
    assert " 1767225600 " in _render("rpz", listed)


def test_a_hosts_file_leads_nowhere_in_both_families() -> None:
    listed = _catalogue(Action.DENY)
    pairs = [line.split() for line in _lines("hosts", listed, "#")]
    assert all(ip_address(address).is_unspecified for address, _ in pairs)
    assert [name for address, name in pairs if address == "::"] == list(listed.names)


def test_lines_of_the_other_forms() -> None:
    found = [(A, HostName(host="t.example")), (A, HostName(host="u.t.example", also_serves="x"))]
    listed = make_list(found, Action.DENY)
    assert listed.spared == ("u.t.example",)
    assert _lines("list", listed, "#") == ["t.example"]
    assert _lines("dnsmasq", listed, "#") == ["server=/t.example/", "server=/u.t.example/#"]
    assert _lines("unbound", listed, "#") == [
        "server:",
        '    local-zone: "t.example." always_nxdomain',
        '    local-zone: "u.t.example." transparent',
    ]
    assert _lines("adguard", listed, "!") == ["||t.example^", "@@||u.t.example^"]
    assert _lines("squid", listed, "#") == [
        "acl fleet_telemetry dstdomain t.example",
        "http_access deny fleet_telemetry",
    ]
    allowed = make_list(found, Action.ALLOW)
    assert _lines("adguard", allowed, "!") == ["@@||t.example^", "@@||u.t.example^"]
    assert _lines("squid", allowed, "#")[-1] == "http_access allow fleet_telemetry"


def test_the_forms_of_clouds_have_the_names_and_the_ports() -> None:
    found = [
        (A, HostName(host="t.example")),
        (A, HostName(host="u.example", port=80)),
        (A, HostName(host="t.example", port=8443)),
    ]
    for action, kind in ((Action.DENY, "DENYLIST"), (Action.ALLOW, "ALLOWLIST")):
        source = json.loads(_render("aws", make_list(found, action)))["RulesSource"]
        assert source["RulesSourceList"]["Targets"] == ["t.example", "u.example"]
        assert source["RulesSourceList"]["GeneratedRulesType"] == kind
        rules = json.loads(_render("azure", make_list(found, action)))
        assert rules["action"] == {"type": action.capitalize()}
        assert [(one["protocols"], one["targetFqdns"]) for one in rules["rules"]] == [
            ([{"protocolType": "Http", "port": 80}], ["u.example"]),
            ([{"protocolType": "Https", "port": 443}], ["t.example"]),
            ([{"protocolType": "Https", "port": 8443}], ["t.example"]),
        ]


def test_json_says_what_is_left_out() -> None:
    found = [(A, HostName(host="t.example", also_serves="updates"))]
    whole = json.loads(_render("json", make_list(found, Action.DENY)))
    assert whole["hosts"] == []
    assert whole["leftOut"] == [
        {
            "host": "t.example",
            "port": 443,
            "uses": [{"product": "acme", "channel": "Usage"}],
            "sentBy": "Pod",
            "alsoServes": ["updates"],
        }
    ]


@given(text=st.text(min_size=1, max_size=40))
def test_foreign_text_stays_within_its_comment_or_its_cell(text: str) -> None:
    found = [(A, HostName(host="t.example", also_serves=text)), (B, HostName(host="u.example"))]
    clean = [(A, HostName(host="t.example", also_serves="x")), (B, HostName(host="u.example"))]
    for action in Action:
        for form in HOST_FORMATS.values():
            if action not in form.actions or form.name in ("csv", "json"):
                continue
            mark = {"rpz": ";", "adguard": "!"}.get(form.name, "#")
            written = _lines(form.name, make_list(found, action), mark)
            assert written == _lines(form.name, make_list(clean, action), mark)
    rows = list(csv.reader(io.StringIO(_render("csv", make_list(found, Action.ALLOW)))))
    assert len(rows) == 3
    assert not rows[1][5].startswith(("=", "+", "-", "@"))
    assert rows[1][5].isprintable()


# The command


def _run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(hosts, [str(one) for one in arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_lists_the_hosts_of_files(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps(manifest_of(next(every_row("sonarqube")))))
    code, out, err = _run(path, "--channel=Usage")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["telemetry.sonarsource.com"]


def test_nothing_found_is_said_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    code, out, err = _run(path)
    assert code == 0
    assert "# No telemetry host is listed." in out
    assert err == "fleet-telemetry: No telemetry host is listed.\n"


def test_the_command_lists_the_hosts_of_products() -> None:
    assert "telemetry.emqx.io\n" in _run("--product=emqx", "--product=grafana")[1]
    code, out, err = _run("--catalogue")
    assert code == 0
    assert len(out.splitlines()) > 100
    assert "fleet-telemetry: Left out: api.github.com:443 also serves: " in err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("-A", "--catalogue"), "--context and --cluster-name are for clusters"),
        (("--context=x", "x.yaml"), "--context and --cluster-name are for clusters"),
        (("--cluster-name=x", "x.yaml"), "--context and --cluster-name are for clusters"),
        (("--product=nope",), "there is no built-in product 'nope'"),
        (("--catalogue", "--allow", "--format=hosts"), "the form hosts can only deny"),
        (("--catalogue", "--format=iptables"), "'iptables' is not one of"),
        (("--catalogue", "--channel=usage"), "'usage' is not one of"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], what: str) -> None:
    code, out, err = _run(*arguments)
    assert (code, out) == (2, "")
    assert what in err
