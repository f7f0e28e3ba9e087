"""Checks that several fields share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support.crd_cases import Array, Check, Choice, Map, Number, Object, Rule, Text, Time


def beginning(prefix: str) -> Callable[[int], str]:
    """Texts of any length that begin alike."""
    return lambda length: (prefix + "a" * length)[:length]


DNS_LABEL = Text(
    says="the name has lower case letters, digits and dashes, and begins and ends with a letter or "
    "a digit",
    matches=("a", "0", "dependency-track", "9-a", "a--b"),
    mismatches=("A", "-a", "a-", "a_b", "a.b", "a b", "é", "a/b", "*"),
    shortest=1,
    longest=63,
)
DNS_SUBDOMAIN = Text(
    says="the name has lower case letters, digits, dashes and dots, and each part between dots "
    "begins and ends with a letter or a digit",
    matches=("a", "a.b", "a-1.b-2", "0.0"),
    mismatches=(".a", "a.", "a..b", "A", "a_b", "-a", "a-", "a-.b", "a.-b", "a/b", "a b"),
    shortest=1,
    longest=253,
)
REGISTRY = Text(
    says="write a registry by its host in lower case, which has a dot or a port or is localhost, "
    "and the beginning of the path if you like, such as harbor.example.com/hub: no https://, no "
    "tag, no digest, no wildcard, no slash at the end",
    matches=(
        "docker.io",
        "docker.io/acme",
        "harbor.example.com:5000/hub/a_b.c--d",
        "registry:5000",
        "localhost",
        "localhost:5000/a",
        "192.0.2.1:5000",
    ),
    mismatches=(
        "acme",
        "acme/app",
        "docker.io/",
        "docker.io//acme",
        "/docker.io",
        "https://docker.io",
        "Docker.io",
        "docker.io/Acme",
        "docker.io/acme:1.0",
        "docker.io/acme@sha256:00",
        "*.example.com",
        "docker.io/*",
        "docker..io",
        ".docker.io",
        "docker.io.",
        "registry:",
        "registry:5000:1",
        "d\u00f6cker.io",
        "docker.io /acme",
    ),
    shortest=3,
    longest=253,
    shape=lambda length: ("a." + "b" * length)[:length],
)
HOST = Text(
    says="write a host by its full name in lower case, such as telemetry.example.com: no https://, "
    "no port, no wildcard, no IP address, no dot at the end",
    matches=("a.b", "telemetry.example.com", "a-1.b--2.io", "1.a", "a.xn--p1ai"),
    mismatches=(
        "localhost",
        "A.b",
        "a..b",
        ".a.b",
        "a.b.",
        "a_b.c",
        "-a.b",
        "*.a.b",
        "a.1",
        "192.0.2.1",
        "b\u00fccher.example",
    ),
    shortest=3,
    longest=253,
    shape=lambda length: (
        ("a." * length)[: max(length - 2, 0)] + ".a"[: max(length, 0)]
        if length % 2
        else ("aa" + ".a" * length)[:length]
    ),
    rules=(
        Rule(
            message="no part of a host name is longer than 63 characters",
            accepts=("a" * 63 + ".example.com",),
            rejects=("a" * 64 + ".example.com", "a." + "b" * 64),
        ),
        Rule(
            message="a telemetry host is outside of the cluster: it is not the name of a "
            "Service or of a private network",
            accepts=("svc.example.com", "local.example", "a.svcs"),
            rejects=(
                "web.default.svc",
                "web.default.svc.cluster.local",
                "printer.local",
                "metadata.google.internal",
                "a.localhost",
            ),
        ),
    ),
)
ENV_NAME = Text(
    says="a variable's name has letters, digits, dashes, dots and underscores, and does not begin "
    "with a digit",
    matches=("A", "_A", "-A", ".a", "a.b-c_D1"),
    mismatches=("1A", "A=B", "A B", "A$", "É", "A/B", "$(A)"),
    shortest=1,
    longest=256,
)
REFUSED_NAMES = (
    *("LD_PRELOAD", "ld_library_path", "DYLD_INSERT_LIBRARIES", "GLIBC_TUNABLES", "GCONV_PATH"),
    *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "SONAR_WEB_JAVAOPTS", "JAVA_OPTS"),
    *("KAFKA_OPTS", "EXTRA_JAVA_ARGS", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "PYTHONPATH"),
    *("PERL5OPT", "RUBYOPT", "BUNDLE_GEMFILE", "PHP_INI_SCAN_DIR", "DOTNET_STARTUP_HOOKS"),
    *("CORECLR_PROFILER", "ERL_AFLAGS", "ELIXIR_ERL_OPTIONS", "GOFLAGS", "BASH_ENV", "ENV"),
    *("IFS", "PS4", "PATH", "Path", "HOME", "SHELL", "TMPDIR", "HTTP_PROXY", "no_proxy"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "OPENSSL_CONF", "GIT_SSH_COMMAND", "KUBECONFIG"),
    *("KUBERNETES_SERVICE_HOST", "AWS_ROLE_ARN", "GOOGLE_APPLICATION_CREDENTIALS"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "SONAR_JDBC_URL", "GITLAB_OMNIBUS_CONFIG", "DB_PASSWORD"),
)
HARMLESS_NAMES = ("ACME_TELEMETRY", "OTEL_SDK_DISABLED", "dotnet_cli_telemetry_optout", "GITLAB_A")
_REFUSED = (
    "this variable may not be set here: it can make a process load code, run a program, read other "
    "files, or send traffic or credentials elsewhere; set it in the workload's own manifest"
)
SWITCH_NAME = replace(
    ENV_NAME, rules=(Rule(message=_REFUSED, accepts=HARMLESS_NAMES, rejects=REFUSED_NAMES),)
)
ALIAS = replace(
    ENV_NAME,
    rules=(
        Rule(
            message=_REFUSED,
            accepts=HARMLESS_NAMES,
            rejects=("LD_PRELOAD", "node_options", "JDK_JAVA_OPTIONS", "OPENSSL_CONF"),
        ),
    ),
)


def value(longest: int) -> Text:
    """A variable's value."""
    return Text(
        longest=longest,
        rules=(
            Rule(
                message="a value may not contain $(: $(NAME) inserts another variable of the "
                "container, which may be a secret; write the value itself",
                accepts=("$HOME", "a(b)", "${A}", "$ (A)"),
                rejects=("$(A)", "a$(A)b", "$$(A)", "$("),
            ),
        ),
    )


TEXT = Text()
CHANNEL = Choice(of=("Usage", "UpdateCheck", "ErrorReport", "License"))
CHANNELS = CHANNEL.of
SUBMISSION = Choice(of=("Disabled", "Enabled"))
WORKLOAD_KIND = Choice(
    of=(
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "CronJob",
        "Job",
        "ReplicaSet",
        "ReplicationController",
        "Rollout",
        "RayCluster",
    )
)
MEANING = Choice(of=("Enabled", "Disabled", "Unset", "Unknown"))


def text(longest: int, *, shortest: int = 0) -> Text:
    """Any text of some length."""
    return Text(shortest=shortest, longest=longest)


def texts(longest: int) -> Array:
    """A set of names."""
    return Array(item=lambda index: f"name-{index}", kind="set", longest=longest)


CONDITION = {
    "type": "Compliant",
    "status": "True",
    "reason": "NothingMatched",
    "message": "Nothing runs a product.",
    "lastTransitionTime": "2026-11-20T08:00:00Z",
    "observedGeneration": 3,
}


def conditions(longest: int) -> dict[str, Check]:
    """The checks of a status' conditions."""
    return {
        "status.conditions": Array(
            item=lambda index: {**CONDITION, "type": f"Type{index}"},
            kind="map",
            key="type",
            twin={**CONDITION, "type": "Type0", "status": "False"},
            longest=longest,
        ),
        "status.conditions[0]": Object(
            required=("type", "status", "reason", "message", "lastTransitionTime")
        ),
        "status.conditions[0].type": text(64, shortest=1),
        "status.conditions[0].status": Choice(of=("True", "False", "Unknown")),
        "status.conditions[0].reason": text(64, shortest=1),
        "status.conditions[0].message": text(4096),
        "status.conditions[0].lastTransitionTime": Time(),
        "status.conditions[0].observedGeneration": Number(lowest=0),
    }


SELECTOR = {
    "matchLabels": {"app": "dependency-track"},
    "matchExpressions": [
        {"key": "team", "operator": "In", "values": ["appsec"]},
        {"key": "example.com/tier", "operator": "Exists"},
    ],
}


def selector(path: str, **more: Any) -> dict[str, Check]:
    """The checks of a label selector; ``more`` of the selector as a whole."""
    expressions = f"{path}.matchExpressions"
    return {
        path: Object(atomic=({"matchLabels": {"a": "1"}}, {"matchLabels": {"b": "2"}}), **more),
        f"{path}.matchLabels": Map(longest=64),
        f"{path}.matchLabels{{app}}": text(63),
        expressions: Array(
            item=lambda index: {"key": f"key-{index}", "operator": "Exists"},
            kind="atomic",
            longest=64,
        ),
        f"{expressions}[1]": Object(
            required=("key", "operator"),
            rules=(
                Rule(
                    message="In and NotIn need values; Exists and DoesNotExist take none",
                    accepts=(
                        {"key": "a", "operator": "In", "values": ["x"]},
                        {"key": "a", "operator": "NotIn", "values": ["x", "y"]},
                        {"key": "a", "operator": "Exists"},
                        {"key": "a", "operator": "Exists", "values": []},
                        {"key": "a", "operator": "DoesNotExist"},
                        {"key": "a", "operator": "DoesNotExist", "values": []},
                    ),
                    rejects=(
                        {"key": "a", "operator": "In"},
                        {"key": "a", "operator": "In", "values": []},
                        {"key": "a", "operator": "NotIn"},
                        {"key": "a", "operator": "NotIn", "values": []},
                        {"key": "a", "operator": "Exists", "values": ["x"]},
                        {"key": "a", "operator": "DoesNotExist", "values": ["x"]},
                    ),
                ),
            ),
        ),
        f"{expressions}[0].key": text(317, shortest=1),
        f"{expressions}[0].operator": Choice(
            of=("In", "NotIn", "Exists", "DoesNotExist"),
            beside={"Exists": {"values": []}, "DoesNotExist": {"values": []}},
        ),
        f"{expressions}[0].values": Array(
            item=lambda index: f"value-{index}",
            kind="set",
            longest=64,
            given={"operator": "Exists"},
        ),
        f"{expressions}[0].values[0]": text(63),
    }
