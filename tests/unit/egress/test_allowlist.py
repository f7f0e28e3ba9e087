"""The artefact for firewalls: what each format holds, and that nothing else changes it."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.egress.allowlist import (
    LARGEST_CONFIG_MAP,
    AllowlistEntry,
    AllowlistError,
    AllowlistFormat,
    EntryAction,
    config_map,
    from_config_map,
    render,
)
from tests.support.allowlist_entries import FLEET, entries, entry

lists = st.lists(entries, max_size=6)
SQUID = shutil.which("squid", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

# What stands in each


def test_plain_has_one_range_a_line_and_the_hosts_as_comments() -> None:
    assert render(FLEET, AllowlistFormat.PLAIN) == (
        "# Written by fleet-telemetry; what you change here is lost.\n"
        "# metrics.dependencytrack.org:443 (dependency-track, Usage): no address is known\n"
        "# pings.sourcegraph.com:443 (sourcegraph, Usage)\n"
        "# sourcegraph.com:443 (sourcegraph, License)\n"
        "# telemetry-gateway.sourcegraph.com:443 (sourcegraph, Usage)\n"
        "# update.sonarsource.org:80 (sonarqube, UpdateCheck)\n"
        "34.36.231.254/32\n"
        "34.107.157.31/32\n"
        "192.0.2.9/32\n"
        "192.0.2.10/32\n"
        "2001:db8::9/128\n"
        "2400:cb00::/32\n"
        "2405:8100::/32\n"
        "2405:b500::/32\n"
        "2606:4700::/32\n"
        "2803:f800::/32\n"
        "2c0f:f248::/32\n"
    )


def test_squid_names_hosts_with_their_ports() -> None:
    assert render(FLEET, AllowlistFormat.SQUID) == (
        "# Written by fleet-telemetry; what you change here is lost.\n"
        "# To be included in front of the last http_access line. To allow it to some clients"
        " only,\n"
        "# deny the others before.\n"
        "acl fleet_telemetry_port_80 port 80\n"
        "acl fleet_telemetry_hosts_80 dstdomain -n update.sonarsource.org\n"
        "http_access allow fleet_telemetry_hosts_80 fleet_telemetry_port_80\n"
        "acl fleet_telemetry_port_443 port 443\n"
        "acl fleet_telemetry_hosts_443 dstdomain -n metrics.dependencytrack.org\n"
        "acl fleet_telemetry_hosts_443 dstdomain -n pings.sourcegraph.com\n"
        "acl fleet_telemetry_hosts_443 dstdomain -n sourcegraph.com\n"
        "acl fleet_telemetry_hosts_443 dstdomain -n telemetry-gateway.sourcegraph.com\n"
        "http_access allow fleet_telemetry_hosts_443 fleet_telemetry_port_443\n"
    )


def test_csv_has_a_row_for_each_address_also_of_what_is_denied() -> None:
    rows = render(FLEET, AllowlistFormat.CSV).splitlines()
    assert rows[:3] == [
        "action,host,port,product,channel,workloads,kind,cidr",
        "allow,metrics.dependencytrack.org,443,dependency-track,Usage,1,,",
        "allow,pings.sourcegraph.com,443,sourcegraph,Usage,1,address,34.36.231.254/32",
    ]
    assert "allow,sourcegraph.com,443,sourcegraph,License,1,range,2400:cb00::/32" in rows
    assert "deny,telemetry.example.com,443,sonarqube,Usage,3,address,198.51.100.7/32" in rows
    assert len(rows) == 1 + 1 + 1 + 6 + 1 + 1 + 3


def test_json_has_a_version_and_every_entry() -> None:
    text = render(FLEET, AllowlistFormat.JSON)
    document = json.loads(text)
    assert document["version"] == 1
    assert [found["host"] for found in document["entries"]] == sorted(e.host for e in FLEET)
    assert document["entries"][-1] == {
        "action": "allow",
        "host": "update.sonarsource.org",
        "port": 80,
        "product": "sonarqube",
        "channel": "UpdateCheck",
        "workloads": 3,
        "addresses": ["192.0.2.9", "192.0.2.10", "2001:db8::9"],
        "ranges": [],
    }
    assert len(text.splitlines()) == len(FLEET) + 2


def test_where_nothing_is_allowed_nothing_is_let_through() -> None:
    denied = [entry(action=EntryAction.DENY, addresses=["198.51.100.7"])]
    for given_ in ([], denied):
        for form in (AllowlistFormat.PLAIN, AllowlistFormat.SQUID):
            lines = render(given_, form).splitlines()
            assert lines[-1] == "# No telemetry host is allowed."
            assert all(line.startswith("#") for line in lines)
    assert render([], AllowlistFormat.JSON) == '{"version": 1, "entries": []}\n'
    assert render([], AllowlistFormat.CSV).count("\n") == 1


def test_a_firewall_gets_no_address_twice() -> None:
    overlapping = [
        entry("a.example", addresses=["192.0.2.1", "192.0.2.1"], ranges=["192.0.2.0/25"]),
        entry("b.example", addresses=["192.0.2.1", "192.0.2.200"], ranges=["192.0.2.0/24"]),
        entry("b.example", 80, addresses=["2001:db8::1"], ranges=["2001:db8::/32"]),
    ]
    lines = render(overlapping, AllowlistFormat.PLAIN).splitlines()
    assert [x for x in lines if x[0] != "#"] == ["192.0.2.0/24", "2001:db8::/32"]


@given(lists)
def test_the_lines_of_plain_are_what_is_allowed_and_no_two_of_them_overlap(
    given_: list[AllowlistEntry],
) -> None:
    lines = [x for x in render(given_, AllowlistFormat.PLAIN).splitlines() if not x.startswith("#")]
    found = [ip_network(line) for line in lines]
    for index, one in enumerate(found):
        assert not any(one.overlaps(other) for other in found[index + 1 :])
    for one in given_:
        for network in one.networks if one.action is EntryAction.ALLOW else ():
            assert any(n.version == network.version and network.subnet_of(n) for n in found)  # type: ignore[arg-type]
    known = {n for one in given_ if one.action is EntryAction.ALLOW for n in one.networks}
    assert set(found) <= known


@given(lists)
def test_squid_lets_through_each_allowed_host_at_its_ports_and_nothing_else(
    given_: list[AllowlistEntry],
) -> None:
    ports: dict[str, set[str]] = {}
    hosts: dict[str, set[str]] = {}
    through = set()
    for line in render(given_, AllowlistFormat.SQUID).splitlines():
        words = line.split()
        if words[0] == "acl" and words[2] == "port":
            ports.setdefault(words[1], set()).add(words[3])
        elif words[0] == "acl":
            assert words[2:4] == ["dstdomain", "-n"]
            hosts.setdefault(words[1], set()).add(words[4])
        elif words[0] == "http_access":
            assert words[1] == "allow"
            through |= {(host, port) for host in hosts[words[2]] for port in ports[words[3]]}
        else:
            assert words[0] == "#"
    assert through == {
        (one.host, str(one.port)) for one in given_ if one.action is EntryAction.ALLOW
    }


@given(lists)
def test_csv_can_be_read_back(given_: list[AllowlistEntry]) -> None:
    header, *rows = csv.reader(render(given_, AllowlistFormat.CSV).splitlines())
    expected = {
        (one.action, one.host, str(one.port), one.product, one.channel, str(one.used_by), *cell)
        for one in given_
        for cell in [
            *(("address", str(ip_network(a))) for a in one.addresses),
            *(("range", str(n)) for n in one.ranges),
        ]
        or [("", "")]
    }
    assert set(map(tuple, rows)) == expected
    assert all(len(row) == len(header) for row in rows)


# Nothing but the entries counts


@given(lists, st.randoms())
def test_no_order_makes_a_difference(given_: list[AllowlistEntry], random: Any) -> None:
    shuffled = [
        AllowlistEntry(
            one.host,
            one.port,
            one.product,
            one.channel,
            one.action,
            tuple(random.sample(one.addresses, len(one.addresses))) + one.addresses[:1],
            tuple(random.sample(one.ranges, len(one.ranges))) + one.ranges[:1],
            one.used_by,
        )
        for one in [*given_, *given_[:1]]
    ]
    random.shuffle(shuffled)
    for form in AllowlistFormat:
        assert render(shuffled, form) == render(given_, form)
    assert config_map(shuffled, "ns", "n") == config_map(given_, "ns", "n")


def test_also_not_from_one_process_to_the_next() -> None:
    """Sets of strings have another order in each."""
    program = (
        "from fleet_telemetry.egress.allowlist import AllowlistFormat, config_map\n"
        "from tests.support.allowlist_entries import FLEET, entry\n"
        "alike = tuple(\n"
        "    entry(**{kind: [f'192.0.2.{last}']})\n"
        "    for kind in ('addresses', 'ranges') for last in range(4)\n"
        ")\n"
        "print(config_map(FLEET + alike, 'ns', 'n'))\n"
    )
    root = Path(__file__).resolve().parents[3]
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, "PYTHONPATH": f"{root}:{root / 'operator'}", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


# The ConfigMap


def test_the_config_map_has_every_format() -> None:
    manifest = config_map(FLEET, "fleet-telemetry", "fleet-telemetry-allowlist")
    assert manifest == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "fleet-telemetry-allowlist",
            "namespace": "fleet-telemetry",
            "labels": {"app.kubernetes.io/managed-by": "fleet-telemetry"},
        },
        "data": {
            "allowlist.csv": render(FLEET, AllowlistFormat.CSV),
            "allowlist.json": render(FLEET, AllowlistFormat.JSON),
            "allowlist.txt": render(FLEET, AllowlistFormat.PLAIN),
            "squid.conf": render(FLEET, AllowlistFormat.SQUID),
        },
    }


@given(lists)
def test_what_is_written_is_read_back(given_: list[AllowlistEntry]) -> None:
    manifest = config_map(given_, "ns", "n")
    read = from_config_map(manifest)
    assert config_map(read, "ns", "n") == manifest
    assert {(e.host, e.port, e.used_by, frozenset(e.networks)) for e in read} == {
        (e.host, e.port, e.used_by, frozenset(e.networks)) for e in given_
    }


def many(hosts: int) -> list[AllowlistEntry]:
    return [
        entry(
            f"host-{number:04}.telemetry.example.com",
            addresses=[str(ip_address((203 << 24) + number * 64 + last)) for last in range(64)],
        )
        for number in range(hosts)
    ]


def size(manifest: dict[str, Any]) -> int:
    return sum(len(text.encode()) for text in manifest["data"].values())


@pytest.mark.thorough
def test_what_is_too_large_for_a_config_map_leaves_formats_out() -> None:
    manifest = config_map(many(500), "ns", "n")
    assert sorted(manifest["data"]) == ["allowlist.json", "squid.conf"]
    assert size(manifest) <= LARGEST_CONFIG_MAP
    assert len(from_config_map(manifest)) == 500
    assert len(config_map(many(100), "ns", "n")["data"]) == 4


@pytest.mark.thorough
def test_what_is_too_large_by_far_is_refused() -> None:
    message = "the allowlist of 1000 entries is too large for a ConfigMap"
    with pytest.raises(AllowlistError, match=message):
        config_map(many(1000), "ns", "n")


# What somebody else has written


def holding(text: object, key: str = "allowlist.json") -> dict[str, Any]:
    return {"metadata": {"namespace": "ns", "name": "n"}, "data": {key: text}}


def changed(**fields: object) -> dict[str, Any]:
    one = json.loads(render([FLEET[3]], AllowlistFormat.JSON))
    one["entries"][0].update(fields)
    return holding(json.dumps(one))


def refused(manifest: dict[str, Any]) -> str:
    with pytest.raises(AllowlistError) as caught:
        from_config_map(manifest)
    message = str(caught.value)
    assert message.startswith("ConfigMap ns/n ")
    return message.removeprefix("ConfigMap ns/n ")


@pytest.mark.parametrize(
    "manifest",
    [
        holding("x", "squid.conf"),
        holding(None),
        holding(5),
        {"metadata": {"namespace": "ns", "name": "n"}},
        {"metadata": {"namespace": "ns", "name": "n"}, "data": []},
    ],
)
def test_a_config_map_of_something_else_is_told(manifest: dict[str, Any]) -> None:
    assert refused(manifest) == "is not an allowlist: it has no key allowlist.json"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"x"', "{}", '{"version": "1"}', '{"version": 1}', "[" * 5000]
)
def test_what_is_no_allowlist_is_told(text: str) -> None:
    assert refused(holding(text)).startswith("has no allowlist under allowlist.json: ")


def test_an_allowlist_of_another_version_is_told() -> None:
    assert refused(holding('{"version": 2, "hosts": {}}')) == (
        "has an allowlist of version 2, and this command knows version 1 only; use the command of"
        " the operator's release"
    )


def test_fields_of_a_later_release_are_ignored() -> None:
    assert from_config_map(changed(note="x")) == from_config_map(changed())


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"host": "a.example\nhttp_access allow all"}, "is no name"),
        ({"host": "a.example\n"}, "is no name"),
        ({"host": ".example.com"}, "is no name"),
        ({"host": "192.0.2.1"}, "is no name"),
        ({"host": ""}, "is no name"),
        ({"product": "a\n0.0.0.0/0"}, "is no name"),
        ({"product": "=cmd()"}, "is no name"),
        ({"port": 0}, "Expected `int` >= 1 - at `$.entries[0].port`"),
        ({"port": 65536}, "Expected `int` <= 65535 - at `$.entries[0].port`"),
        ({"port": "443"}, "Expected `int`, got `str` - at `$.entries[0].port`"),
        ({"channel": "Other"}, "Invalid enum value 'Other' - at `$.entries[0].channel`"),
        ({"action": "maybe"}, "Invalid enum value 'maybe' - at `$.entries[0].action`"),
        ({"workloads": -1}, "Expected `int` >= 0 - at `$.entries[0].workloads`"),
        ({"addresses": ["0.0.0.0/0"]}, "does not appear to be an IPv4 or IPv6 address"),
        ({"addresses": ["fe80::1%a\n0.0.0.0/0"]}, "is link-local"),
        ({"ranges": ["0.0.0.0/0"]}, "0.0.0.0/0 is every address there is"),
        ({"ranges": ["::/0"]}, "::/0 is every address there is"),
        ({"ranges": ["192.0.2.1/24"]}, "has host bits set"),
        ({"ranges": [5]}, "Expected `str`, got `int` - at `$.entries[0].ranges[0]`"),
    ],
)
def test_what_no_entry_can_be_does_not_reach_a_firewall(
    fields: dict[str, object], why: str
) -> None:
    message = refused(changed(**fields))
    assert message.startswith("has no allowlist under allowlist.json: ")
    assert why in message
    assert "\n" not in message


def test_a_missing_field_is_told() -> None:
    text = json.dumps({"version": 1, "entries": [{"action": "allow"}]})
    assert refused(holding(text)).endswith("missing required field `host` - at `$.entries[0]`")


# What the programs say


@pytest.mark.skipif(SQUID is None, reason="squid is not installed")
@pytest.mark.parametrize("chosen", [FLEET, ()])
def test_squid_takes_its_format(chosen: tuple[AllowlistEntry, ...], tmp_path: Path) -> None:
    ours = render(chosen, AllowlistFormat.SQUID)
    (tmp_path / "ours.conf").write_text(ours)
    whole = tmp_path / "squid.conf"
    whole.write_text(f"include {tmp_path / 'ours.conf'}\nhttp_access deny all\nhttp_port 3128\n")
    assert SQUID
    said = subprocess.run(
        [SQUID, "-k", "parse", "-f", str(whole), "-n", "allowlist"],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    for line in ours.splitlines():
        assert line.startswith("#") or f"Processing: {line}\n" in said
    assert not re.search("ERROR|WARNING|Bungled|fleet_telemetry.* not found", said), said
