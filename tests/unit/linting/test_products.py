"""Each rule of the linter: a product that breaks it, the line, and what to do."""

from __future__ import annotations

import pytest

from fleet_telemetry.linting.lint import lint
from fleet_telemetry.linting.problem import FileProblem
from tests.support.every import every
from tests.support.lint_files import PRODUCT, TABLE

_SWITCH = 'env: {name: ACME_TELEMETRY, disabled: "false", enabled: "true"}'
_SECOND = """\
      - semantics: Start
        env: {name: ACME_TELEMETRY, disabled: "false", enabled: "true"}
"""


def check(
    product: str = PRODUCT, table: str = TABLE, *, built_in: bool = True
) -> list[FileProblem]:
    files = {"acme.yaml": product.encode(), "acme.test.yaml": table.encode()}
    return lint(files, built_in=built_in)


def test_the_good_one_has_no_problem() -> None:
    assert [str(one) for one in check()] == []
    assert [str(one) for one in check(built_in=False)] == []


def test_a_channel_whose_hosts_are_not_known_is_no_fault() -> None:
    at = PRODUCT.index("    hosts:")
    without = PRODUCT[:at] + PRODUCT[PRODUCT.index("    rules:") :]
    assert [str(one) for one in check(without)] == []


_FAULTS = [
    # The document.
    ("kind: Tel", "kind: 'Tel", 2, "no YAML"),
    ("  title: Acme", "  title: Acme\n  title: Acne", 7, "'title' stands twice"),
    ("  title: Acme", "  title: 12", 6, "Expected `str`, got `int`"),
    ("  title: Acme", "  titel: Acme", 5, "missing required field `title`"),
    ("  title: Acme", "  title: Acme\n  titel: Acme", 7, "spec.titel: it is not a field"),
    ('default: "On"', "default: On", 27, "Expected `str`, got `bool`"),
    ('default: "On"', 'default: "Yes"', 27, "Yes"),
    ("ineffective: [ACME_TRACE]", "inefective: [ACME_TRACE]", 31, "not a field"),
    ("[ACME_TRACE]", "[ACME_TRACE, ACME_TRACE]", 31, "'ACME_TRACE' stands twice"),
    ("  - name: Usage", "  - {name: Usage}\n  - name: Usage", 18, "Usage stands twice"),
    # Rules of the CRD.
    ("pattern: acme/server\n", 'pattern: "*"\n', 9, "names the image"),
    ('["*-tools"]', '["*"]', 11, "would exclude everything"),
    (_SWITCH, _SWITCH.replace('"false"', '"$(PASSWORD)"'), 30, "may not contain $("),
    ("default: NoTelemetry", "default: NoTelemetry\n      switches: [{semantics: Runtime}]", 23,
     "a version without telemetry has no switch"),
    ("semantics: Start", "semantics: Seed\n        sufficient: true", 29, "only a Start switch"),
    # Hosts.
    ("host: usage.acme.example", "host: 192.0.2.1", 20, "no IP address"),
    ("host: usage.acme.example", "host: '*.acme.example'", 20, "no wildcard"),
    ("host: usage.acme.example", "host: usage", 20, "by its full name"),
    ("host: usage.acme.example", "host: https://acme.example", 20, "no https://"),
    ("host: usage.acme.example", "host: usage.default.svc", 20, "outside of the cluster"),
    ('versions: [">=2.0.0"]\n    rules', 'versions: ["<2.0.0"]\n    rules', 20,
     "no rule says that a version of it sends"),
    ('versions: [">=2.0.0"]\n    rules', 'versions: ["<2.0.0"]\n    rules', 26, "to no host"),
    ("    hosts:\n", '    hosts:\n    - {host: usage.acme.example, versions: [">=2.0.0"]}\n', 21,
     "stands twice"),
    ('versions: [">=2.0.0"]\n    rules', "components: [ui]\n    rules", 20, "component 'ui'"),
    # Images.
    ("acme/server\n    rep", "acme//server\n    rep", 9, "a part of it is empty"),
    ("acme/server\n    rep", "Acme/server\n    rep", 9, "have no capitals"),
    ("acme/server\n    rep", "docker.io/acme/server\n    rep", 9, "begins with a registry"),
    ("acme/server\n    rep", "acme/server.*\n    rep", 9, "like a regular expression"),
    ("acme/server\n    rep", "acme/(server|web)\n    rep", 9, "no port, no tag"),
    ('["*-tools"]', '[".*-tools"]', 11, "like a regular expression"),
    ("acme/server\n    rep", '"*server*"\n    rep', 9, "also covers images of other software"),
    ("acme/server\n    rep", "acme/serve?\n    rep", 4, ""),
    ("acme/agent", "acme/server", 12, "it is never used"),
    ("acme/server\n    rep", "ac*/agent\n    rep", 12, "it is never used"),
    ("docker.io/acme/server", "docker.io/acme/web", 10, "has no image of this pattern"),
    ("acme/server\n    rep", "emqx\n    rep", 9, "emqx has emqx, too"),
    # Versions.
    ('["<2.0.0"]\n      d', '["<2.1.0"]\n      d', 17, "two rules overlap"),
    ('["<2.0.0"]\n      d', '["<1.5.0"]\n      d', 17, "from 1.5.0 on and before 2.0.0"),
    ('["<2.0.0"]\n      d', '[">=2 <1"]\n      d', 23, "no version can be in range"),
    ('["<2.0.0"]\n      d', '["2.0.0"]\n      d', 23, "a range is >= and its first version"),
    ('["<2.0.0"]\n      d', '["<1.0.0"]\n      d', 17, "no version of spec.versions"),
    ('verified: "2.4"', 'verified: "0.4"', 13, "not in this order"),
    ('verified: "2.4", h', 'verified: "2.4", editions: [lite], h', 15, "no image has the edition"),
    ('    - {lowest: 1.0.0, verified: "2.4", highest: "2.9"}', "      []", 26,
     "every number in a tag passes for a version"),
    # Rules and switches.
    ("      sources: [acme/acme@v2.0.0:main.go]\n", "", 26, "does not say where it was read"),
    ("default: NoTelemetry", 'default: "On"', 23, "neither a switch nor a remedy"),
    ("default: NoTelemetry", "default: NoTelemetry\n      harmlessAnywhere: true", 23,
     "harmlessAnywhere without a switch"),
    ("    summary: Reports.\n", "", 17, "it has no summary"),
    ("  homepage: https://acme.example\n", "", 5, "it has no homepage"),
    ("      - semantics: Start\n", f"{_SECOND}      - semantics: Start\n", 28, "2 switches are"),
    ('disabled: "false"', 'disabled: "off"', 30, "disabled is 'off', which reading makes Unknown"),
    ('enabled: "true"', 'enabled: "on"', 30, "enabled is 'on', which reading makes Unknown"),
    ('disabled: "false", enabled: "true"', 'disabled: "off", enabled: "off"', 30,
     "are the same value"),
    ('enabled: "true"', 'enabled: "false"', 26, "enabled is false, which reading makes Disabled"),
    ('enabled: "true"', 'reading: {disabled: ["false", "true"]}, enabled: "true"', 30,
     "reading has 'true' in disabled and in enabled"),
    ("[ACME_TRACE]", "[ACME_TELEMETRY]", 29, "is the switch itself"),
    ("  name: acme", "  name: other", 4, "the product other is in a file acme.yaml"),
]  # fmt: skip


@pytest.mark.thorough
@every(("old", "new", "line", "what"), _FAULTS)
def test_a_fault_is_found_in_its_line(old: str, new: str, line: int, what: str) -> None:
    assert old in PRODUCT
    problems = check(PRODUCT.replace(old, new, 1))
    found = [one for one in problems if one.file == "acme.yaml" and what in one.what]
    if not what:  # a pattern that is as good
        assert not [one for one in problems if one.file == "acme.yaml"]
        return
    assert found, problems
    assert [one.line for one in found] == [line], found
    assert all(one.advice for one in problems)


_JVM = [
    f'{{env: {name}, argument: "-Dacme=", means: Unknown}}'
    for name in ("_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")
]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ([], ""),
        (_JVM, ""),
        # What is on the command line stands between them.
        ([_JVM[0], _JVM[0].replace("_JAVA_OPTIONS", "JAVA_OPTS"), *_JVM[1:]], ""),
        (_JVM[1:], "-Dacme= in _JAVA_OPTIONS is no override, and in JDK_JAVA_OPTIONS it is one"),
        (_JVM[::2], "-Dacme= in JDK_JAVA_OPTIONS is no override"),
        ([_JVM[2], *_JVM[:2]], "-Dacme= in JAVA_TOOL_OPTIONS comes first"),
        ([_JVM[0], _JVM[2], _JVM[1]], "in this order"),
        (['{argument: "--acme=off", means: Disabled}'], "--acme=off holds a value"),
        (['{argument: "--acme=", means: Unknown}'] * 2, "--acme= is never used"),
    ],
)
def test_overrides_that_leave_something_unread(overrides: list[str], says: str) -> None:
    more = "".join(f"        - {one}\n" for one in overrides)
    at = PRODUCT.index("        ineffective")
    given = f"{PRODUCT[:at]}        overrides:\n{more}{PRODUCT[at:]}" if more else PRODUCT
    problems = [str(one) for one in check(given)]
    assert [one for one in problems if says not in one] == []
    assert bool(problems) is bool(says)


_LEFT_OUT = [
    ('- {image: "acme/agent:2.1.0", version: "2.1.0", component: agent, edition: pro}\n', "",
     "acme/agent stands in matches"),
    ('rejects: ["acme/server:2.1.0-tools"]', "rejects: []", "no image of other software"),
    ('rejects: ["acme/server:2.1.0-tools"]', "rejects: [nginx]", "with a tag *-tools"),
    ('"acme/server:2.0.0", ', "", "no row has 2.0.0 of acme/server"),
    ('"acme/server:2.5.0"', '"acme/server:2.4.0"', "from 2.5.0 on and before 2.10.0"),
    ('"acme/server:1.0.0"', '"acme/server:latest"', "from 1.0.0 on and before 2.0.0"),
    ('"acme/server:latest"', '"acme/server:1.1.0"', "version cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what"), _LEFT_OUT)
def test_what_a_table_leaves_out_is_found(old: str, new: str, what: str) -> None:
    assert old in TABLE
    problems = check(table=TABLE.replace(old, new, 1))
    found = [one for one in problems if one.file == "acme.test.yaml" and what in one.what]
    assert found, problems


def test_a_gap_that_is_meant_stands_in_the_table() -> None:
    gap = PRODUCT.replace('["<2.0.0"]\n      d', '["<1.5.0"]\n      d')
    row = """\
- channel: Usage
  images: ["acme/server:1.5.0"]
  disabled: []
  enabled: []
  state: Unknown
  reason: VersionNotCovered
"""
    assert check(gap)
    assert [str(one) for one in check(gap, TABLE + row)] == []


def test_a_built_in_product_has_a_table_and_a_users_may_have_one() -> None:
    files = {"acme.yaml": PRODUCT.encode()}
    (problem,) = lint(files, built_in=True)
    assert "it has no table acme.test.yaml" in str(problem)
    assert lint(files) == []


def test_a_table_alone_is_told() -> None:
    (problem,) = lint({"acme.test.yaml": TABLE.encode()})
    assert "there is no product beside this table" in problem.what


@pytest.mark.thorough
def test_two_files_with_one_product_are_told() -> None:
    (problem,) = lint({"acme.yaml": PRODUCT.encode(), "b.yaml": PRODUCT.encode()})
    assert (problem.file, problem.line) == ("b.yaml", 4)
    assert "acme.yaml has a product acme, too" in problem.what


def test_two_files_with_one_image_are_told() -> None:
    other = PRODUCT.replace("name: acme", "name: zeta")
    problems = lint({"acme.yaml": PRODUCT.encode(), "zeta.yaml": other.encode()})
    assert [(one.file, one.line) for one in problems] == [("zeta.yaml", 8)]
    assert "belongs to the TelemetryProduct acme" in problems[0].what
    problems = lint({"acme.yaml": PRODUCT.encode(), "zeta.yaml": other.encode()}, built_in=True)
    assert any("acme has acme/server, too" in one.what for one in problems)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("acme/server\n    rep", "emqx/emqx\n    rep", "belongs to the built-in product emqx"),
        ("  name: acme", "  name: emqx", "to replace it whole, set spec.overridesBuiltin: true"),
        ("name: ACME_TELEMETRY", "name: LD_PRELOAD", "this variable may not be set here"),
        ("name: ACME_TELEMETRY", "name: ACME_PLUGINS", "ACME_PLUGINS may not be a switch"),
    ],
)
def test_a_product_of_a_user_meets_what_the_cluster_demands(old: str, new: str, what: str) -> None:
    problems = check(PRODUCT.replace(old, new, 1), built_in=False)
    assert any(what in one.what for one in problems), problems


@pytest.mark.thorough
def test_more_patterns_than_the_webhook_can_hold_are_refused() -> None:
    files = {}
    for number in range(400):
        images = "".join(f"  - pattern: x{number}/image{place}\n" for place in range(32))
        start = PRODUCT.index("  - pattern"), PRODUCT.index("  versions:\n    lines")
        text = PRODUCT[: start[0]] + images + PRODUCT[start[1] :]
        files[f"p{number}.yaml"] = text.replace("name: acme", f"name: p{number}").encode()
    (problem,) = lint(files)
    assert "12800 image patterns" in problem.what


def test_a_product_that_users_build_is_tried_on_an_image_of_its_name() -> None:
    start, end = PRODUCT.index("  images:"), PRODUCT.index("  versions:\n    lines")
    bare = PRODUCT[:start] + PRODUCT[end:]
    table = TABLE.replace("acme/server", "acme")
    table = table.replace(
        '- {image: "acme/agent:2.1.0", version: "2.1.0", component: agent, edition: pro}\n', ""
    ).replace("acme:2.1.0-tools", "acme-tools:2.1.0")
    assert [str(one) for one in check(bare, table)] == []
    assert any("=false] is set" in str(one) for one in check(bare, table.replace("=false", "=no")))
    assert check(bare, table, built_in=False)


def test_a_product_on_a_base_has_a_table_of_its_images() -> None:
    product = """\
apiVersion: fleettelemetry.io/v1alpha1
kind: TelemetryProduct
metadata: {name: acme}
spec:
  title: Acme
  base: emqx
  images:
  - {pattern: acme/broker, edition: open-source, tags: ["{version}-emqx"]}
"""
    table = """\
matches:
- {image: "acme/broker:5.8.9-emqx", version: "5.8.9", edition: open-source}
- {image: "acme/broker:7", version: "", edition: open-source}
channels:
- channel: Usage
  images: ["acme/broker:5.8.9-emqx"]
  disabled: ["EMQX_TELEMETRY__ENABLE=false"]
  enabled: ["EMQX_TELEMETRY__ENABLE=true"]
"""
    assert [str(one) for one in check(product, table, built_in=False)] == []
    problems = check(product.replace("base: emqx", "base: emq"), table, built_in=False)
    assert any("no built-in product has this name" in one.what for one in problems)
