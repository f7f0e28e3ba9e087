"""What is printed, what is left out, and every warning."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import HOST_NAME
from fleet_telemetry.audit.corefile.addition import Addition, Tap, is_plain_host, server_blocks
from fleet_telemetry.audit.corefile.foreign import read_corefile
from fleet_telemetry.audit.corefile.forms import FORMS
from fleet_telemetry.audit.corefile.planning import (
    CorefileOptions,
    DnsFacts,
    plan_addition,
    version_of,
)
from fleet_telemetry.audit.corefile.refusing import By, RefusalRule, Refusals
from fleet_telemetry.audit.corefile.surroundings import UNKNOWN, survey
from fleet_telemetry.audit.corefile.words import words_of
from fleet_telemetry.audit.sources import Gathered
from fleet_telemetry.cli.corefile import BY_NAMES, FORM_NAMES, corefile
from fleet_telemetry.observed.canary import CANARY_ZONE
from tests.support.audits import NOW

TAP = Tap("10.96.0.7", 6000)
HOST, OTHER = "telemetry.example.com", "stats.example.org"
MAIN = ".:53 {\n  kubernetes cluster.local in-addr.arpa {\n    pods insecure\n  }\n%s\n}\n"
FORWARD = "  forward . 192.0.2.1\n"
NOTHING = Refusals(By.ADDRESSES)


def addition(text: str | None, *hosts: str, **fields: object) -> Addition:
    """An addition to a Corefile; None for one that could not be read."""
    around = UNKNOWN
    if text is not None:
        around = survey(read_corefile(text, {}, {}), hosts or (HOST,), TAP.endpoint)
    uses = {host: frozenset({"acme"}) for host in hosts or (HOST,)}
    given = {"tap": TAP, "hosts": uses, "surroundings": around, "refusals": NOTHING, **fields}
    return Addition(**given)  # type: ignore[arg-type]


def noted(added: Addition, word: str) -> bool:
    """Whether a note has the word, and both forms show it as a comment."""
    found = any(word in note for note in added.notes)
    for form in FORMS.values():
        comments = " ".join(
            line.strip("# ") for line in form(added).splitlines() if line.startswith("#")
        )
        assert (word in comments) == found
    return found


def blocks(added: Addition) -> str:
    return "\n".join(server_blocks(added))


def test_the_order_is_that_of_the_names_whatever_comes_first() -> None:
    one, two = (addition(MAIN % FORWARD, *names) for names in ((HOST, OTHER), (OTHER, HOST)))
    assert FORMS["corefile"](one) == FORMS["corefile"](two)
    assert list(one.zones) == sorted([HOST, OTHER])


def test_the_names_of_options_are_those_of_what_they_choose() -> None:
    assert tuple(FORMS) == FORM_NAMES
    assert tuple(By) == BY_NAMES


def test_the_port_and_what_decides_on_answers_are_taken_over() -> None:
    text = """\
.:1053 {
  bind 127.0.0.1
  errors
  hosts {
    192.0.2.9 telemetry.example.com
    fallthrough
  }
  forward . 192.0.2.1 192.0.2.2 {
    policy sequential
    tls_servername "a b"
  }
  cache 60
  loop
}
"""
    printed = blocks(addition(text))
    assert f"{HOST}:1053," in printed
    assert f"{CANARY_ZONE}:1053 {{" in printed
    for line in ("bind 127.0.0.1", "192.0.2.9 telemetry.example.com", 'tls_servername "a b"'):
        assert line in printed
    assert printed.count("cache") == 1
    assert "loop" not in printed
    assert addition(text).notes == ()


def test_copies_are_whole_in_both_blocks() -> None:
    text = MAIN % (FORWARD + "bind eth0 {\n except 10.0.0.9\n}\nlog . {\n class error\n}")
    rules = (RefusalRule(("10.0.0.1",), (HOST,)),)
    printed = blocks(addition(text, refusals=Refusals(By.ADDRESSES, rules)))
    (refusing, tapping) = read_corefile(printed, {}, {}).blocks
    for block in (refusing, tapping):
        assert [one.properties for one in block.all_of("bind")] == [(("except", "10.0.0.9"),)]
        assert [one.properties for one in block.all_of("log")] == [(("class", "error"),)]


def test_a_block_without_a_port_gets_none() -> None:
    assert f"{HOST},  # acme" in blocks(addition(". {\n" + FORWARD + "}"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "is not read"),
        ("", "has no server block for all names"),
        ("example.net:53 {\n}", "has no server block for all names"),
        (MAIN % "", "has no line forward"),
        (MAIN % (FORWARD + "autopath @kubernetes"), "autopath"),
        (MAIN % (FORWARD + f"rewrite name a.example.net {HOST}"), "rewrite"),
        (MAIN % (FORWARD + "rewrite stop {\nname regex (.*)[.]x {1}.y\n}"), "about many names"),
        (MAIN % (FORWARD + "dnstap tcp://192.0.2.8:6000 full"), "dnstap of its own"),
        (f"{CANARY_ZONE}:53 {{\ndnstap tcp://192.0.2.8:6000\n}}\n{MAIN % FORWARD}", "replace them"),
        (MAIN % (FORWARD + "etcd example.net\nfile x a.example"), "etcd, file"),
        (MAIN % (FORWARD + 'log . "a\x1bb"'), "not copied"),
        (MAIN % (FORWARD + "import /elsewhere/x"), "imports /elsewhere/x"),
        (MAIN % FORWARD + '"', "read only in part"),
    ],
)
def test_warnings_about_the_corefile(text: str | None, word: str) -> None:
    assert noted(addition(text), word)
    assert not noted(addition(MAIN % FORWARD), word)


@pytest.mark.parametrize(
    "line", ["loop", "reload", "rewrite type ANY HINFO", "dnstap tcp://10.96.0.7:6000 full"]
)
def test_what_does_no_harm_is_no_warning(line: str) -> None:
    assert addition(MAIN % (FORWARD + line)).notes == ()


@pytest.mark.parametrize(
    ("zones", "host"),
    [
        (HOST, HOST),
        ("example.com", HOST),
        ("Example.COM.:53", HOST),
        ("dns://com", HOST),
        (f"other.example, {HOST}", HOST),
    ],
)
def test_a_host_that_another_block_answers_is_left_out(zones: str, host: str) -> None:
    added = addition(f"{MAIN % FORWARD}{zones} {{\nwhoami\n}}\n", host, OTHER)
    assert list(added.zones) == [OTHER]
    assert noted(added, f"Left out: {host}")


@pytest.mark.parametrize(
    "zones", [f"below.{HOST}", f"{HOST}:54", f"tls://{HOST}", "ample.com", CANARY_ZONE]
)
def test_a_block_of_other_names_or_ports_is_in_nobodys_way(zones: str) -> None:
    added = addition(f"{MAIN % FORWARD}{zones} {{\nwhoami\n}}\n")
    assert list(added.zones) == [HOST]


@pytest.mark.parametrize("host", ["cloud.example", "prod.cloud.example", "svc.prod.cloud.example"])
def test_a_host_above_or_below_the_clusters_own_names_is_left_out(host: str) -> None:
    text = f".:53 {{\nkubernetes prod.cloud.example in-addr.arpa\n{FORWARD}}}"
    added = addition(text, host, HOST)
    assert list(added.zones) == [HOST]
    assert noted(added, "take them away")


@given(st.text(max_size=40) | st.from_regex(HOST_NAME.expression))
def test_no_name_has_more_than_a_name_can(host: str) -> None:
    added = addition(MAIN % FORWARD, host)
    rules = (RefusalRule(("10.0.0.1",), (host,)),)
    added = dataclasses.replace(added, refusals=Refusals(By.ADDRESSES, rules))
    if is_plain_host(host):
        assert re.fullmatch(r"[a-z0-9.-]+", host)
    else:
        assert not added.zones
        assert not added.rules
    found = read_corefile(FORMS["corefile"](added), {}, {})
    assert found.problems == ()
    assert len(found.blocks) == 1 + bool(added.rules)
    named = {directive.name for block in found.blocks for directive in block.directives}
    assert named <= {"errors", "dnstap", "template", "forward", "cache", "view"}


@given(st.text(max_size=60))
def test_comments_stay_comments(foreign: str) -> None:
    added = addition(MAIN % FORWARD, warnings=(f"a {foreign}",))
    assert words_of(FORMS["corefile"](added)) == [
        dataclasses.replace(one, line=one.line + FORMS["corefile"](added).count("\n") - plain)
        for plain in [FORMS["corefile"](addition(MAIN % FORWARD)).count("\n")]
        for one in words_of(FORMS["corefile"](addition(MAIN % FORWARD)))
    ]
    printed = yaml.safe_load(FORMS["coredns-custom"](added))
    assert printed == yaml.safe_load(FORMS["coredns-custom"](addition(MAIN % FORWARD)))


def test_the_config_map_has_what_the_other_form_has() -> None:
    rules = (RefusalRule(("team-a",), (HOST,)),)
    added = addition(MAIN % FORWARD, refusals=Refusals(By.NAMESPACES, rules, ("p",)))
    (text,) = yaml.safe_load(FORMS["coredns-custom"](added))["data"].values()
    assert [one.text for one in words_of(text)] == [
        one.text for one in words_of(FORMS["corefile"](added))
    ]


def test_refusing_by_namespace_brings_the_plugin_that_knows_pods() -> None:
    text = (
        ".:53 {\nkubernetes prod.example in-addr.arpa {\n kubeconfig /k.yaml\n pods verified\n"
        f" fallthrough\n}}\n{FORWARD}}}"
    )
    rules = (RefusalRule(("team-a", "team-b"), (HOST,)),)
    added = addition(text, refusals=Refusals(By.NAMESPACES, rules))
    printed = blocks(added).split(f"{CANARY_ZONE}:53 {{")[1]
    assert "metadata('kubernetes/client-namespace') in ['team-a', 'team-b']" in printed
    lines = [line.strip() for line in printed.splitlines()]
    begin = lines.index("kubernetes prod.example {")
    assert lines[begin - 1] == "metadata"
    assert lines[begin + 1 : begin + 5] == [
        "pods verified",
        "noendpoints",
        "kubeconfig /k.yaml",
        "}",
    ]
    assert added.surroundings.verifies_pods
    assert noted(added, "All pods of these namespaces")


def test_refusing_by_address_says_that_addresses_change() -> None:
    rules = (RefusalRule(("10.0.0.1", "fd00::1"), (HOST,)),)
    added = addition(MAIN % FORWARD, refusals=Refusals(By.ADDRESSES, rules))
    assert "client_ip() in ['10.0.0.1', 'fd00::1', '[fd00::1]']" in blocks(added)
    assert noted(added, "print and apply this again")
    assert noted(added, "is not kept from anything")


def test_a_refused_host_is_not_reported_for_others_if_only_a_tenant_names_it() -> None:
    rules = (RefusalRule(("10.0.0.1",), (OTHER,)),)
    added = addition(MAIN % FORWARD, refusals=Refusals(By.ADDRESSES, rules))
    refusing, tapping = blocks(added).split("\n\n")
    assert f"{OTHER}:53," in refusing
    assert OTHER not in tapping


@pytest.mark.parametrize(
    ("tap", "word"),
    [
        (Tap("10.96.0.7", 6000, tls=True), "trusts the CAs of its own image"),
        (Tap("10.96.0.7", 6000, tls=True, skip_verify=True), "skipverify"),
    ],
)
def test_what_tls_means_is_said(tap: Tap, word: str) -> None:
    added = addition(MAIN % FORWARD, tap=tap)
    assert noted(added, word)
    assert f"dnstap tls://10.96.0.7:6000 full{' {' if tap.skip_verify else ''}\n" in blocks(added)


def test_an_ipv6_address_is_in_brackets() -> None:
    assert Tap("fd00::7", 6000).endpoint == "tcp://[fd00::7]:6000"


def plan(facts: DnsFacts, **options: object) -> Addition:
    wanted = CorefileOptions(**{"tap": TAP, "whole_catalogue": True, **options})  # type: ignore[arg-type]
    return plan_addition(Gathered(()), facts, wanted, NOW)


PLAIN = DnsFacts(corefile=MAIN % FORWARD, custom={}, image="registry/coredns:v1.12.1")


@pytest.mark.parametrize(
    ("facts", "options", "word"),
    [
        ({"node_local": True}, {}, "NodeLocal DNSCache runs"),
        ({"node_local": None}, {}, "not known whether NodeLocal DNSCache runs"),
        ({}, {"custom": True}, "imports no custom/*.server"),
        ({}, {"custom": True, "everything": True}, "imports no custom/*.override"),
        ({"image": "coredns:1.10.1"}, {"tap": Tap("10.0.0.1", 1, tls=True)}, "has no tls"),
    ],
)
def test_warnings_about_the_cluster(
    facts: dict[str, object], options: dict[str, object], word: str
) -> None:
    assert noted(plan(dataclasses.replace(PLAIN, **facts), **options), word)  # type: ignore[arg-type]
    assert not noted(plan(PLAIN), word)


def test_the_whole_catalogue_has_what_pods_send_to_and_not_what_browsers_do() -> None:
    added = plan(PLAIN)
    assert "stats.grafana.org" in added.zones
    assert "grafana" in added.zones["stats.grafana.org"]
    assert "Left out" not in FORMS["corefile"](added)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.k8s.io/coredns/coredns:v1.11.3", (1, 11)),
        ("rancher/mirrored-coredns-coredns:1.9.4", (1, 9)),
        ("localhost:5000/coredns:1.12.0-eksbuild.1@sha256:00", (1, 12)),
        ("localhost:5000/coredns", None),
        ("coredns:latest", None),
        ("", None),
    ],
)
def test_versions_of_images(image: str, expected: tuple[int, int] | None) -> None:
    assert version_of(image) == expected


# The command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-f", "x"], "--to"),
        (["-f", "x", "--to", "10.0.0.1", "--by", "addresses"], "--by namespaces"),
        (["-f", "x", "--context", "y"], "leave it or -f out"),
        (["--skip-verify"], "add --tls"),
        (["--no-tap", "--everything"], "--no-tap"),
        (["--to", "operator.default.svc"], "IP address"),
        (["--to", "10.0.0.1:0"], "10.96.0.7:6000"),
        (["--to", "10.0.0.1:70000"], "10.96.0.7:6000"),
        (["--to", "fe80::1%eth0"], "10.96.0.7:6000"),
        (["--coredns", "coredns"], "NAMESPACE/NAME"),
        (["--coredns", "a/b/c"], "NAMESPACE/NAME"),
    ],
)
def test_wrong_options_are_refused(words: list[str], said: str) -> None:
    done = CliRunner().invoke(corefile, words)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("10.96.0.7", "tcp://10.96.0.7:6000"),
        ("10.96.0.7:7000", "tcp://10.96.0.7:7000"),
        ("[fd00::7]:7000", "tcp://[fd00::7]:7000"),
        ("fd00::7", "tcp://[fd00::7]:6000"),
    ],
)
def test_where_the_operator_listens(tmp_path: Path, given: str, endpoint: str) -> None:
    manifest = tmp_path / "a.yaml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    done = CliRunner().invoke(corefile, ["-f", str(manifest), "--to", given])
    assert f"dnstap {endpoint} full\n" in done.stdout
    assert "No telemetry host is known" in done.stdout
    assert done.exit_code == 0


def test_it_says_so_if_there_is_nothing_to_refuse(tmp_path: Path) -> None:
    manifest = tmp_path / "a.yaml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    done = CliRunner().invoke(corefile, ["-f", str(manifest), "--no-tap"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "egress.dns: Refuse" in done.stderr


def test_blocks_that_are_there_already_are_in_nobodys_way() -> None:
    rules = (RefusalRule(("10.0.0.1",), (OTHER,)),)
    refusals = Refusals(By.ADDRESSES, rules)
    once = addition(MAIN % FORWARD, HOST, OTHER, refusals=refusals)
    text = MAIN % FORWARD + FORMS["corefile"](once)
    assert FORMS["corefile"](addition(text, HOST, OTHER, refusals=refusals)) == FORMS["corefile"](
        once
    )
