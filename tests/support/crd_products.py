"""The table of ``TelemetryProduct``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from fleet_telemetry.api.resources import TELEMETRY_PRODUCT
from tests.support.crd_cases import (
    ABSENT,
    Array,
    Check,
    Choice,
    Flag,
    Kind,
    Manifest,
    Number,
    Object,
    Rule,
    Text,
    Try,
)
from tests.support.crd_values import (
    ALIAS,
    CHANNEL,
    CHANNELS,
    CONDITION,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    ENV_NAME,
    HOST,
    MEANING,
    REGISTRY,
    SWITCH_NAME,
    beginning,
    conditions,
    text,
    texts,
    value,
)

_IMAGE = "spec.images[0]"
_CHANNEL = "spec.channels[0]"
_HOST = f"{_CHANNEL}.hosts[0]"
_RULE = f"{_CHANNEL}.rules[0]"
# A rule without switches, whose default may be anything.
_FREE_RULE = f"{_CHANNEL}.rules[1]"
# A rule with switches, and what is sent in spite of them.
_LEAVING_RULE = f"{_CHANNEL}.rules[2]"
_SEED = f"{_RULE}.switches[0]"
# A switch whose semantics may be anything.
_SWITCH = f"{_RULE}.switches[1]"
_OVERRIDE = f"{_SWITCH}.overrides[0]"

_ENV: Manifest = {
    "name": "EMQX_TELEMETRY__ENABLE",
    "disabled": "false",
    "enabled": "true",
    "aliases": ["EMQX_TELEMETRY_ON"],
    "anyCaseAfter": "EMQX_",
    "shadows": ["EMQX_TELEMETRY"],
    "exclusiveWith": ["EMQX_TELEMETRY__ENABLE__FILE"],
    "word": {"begins": "-D", "weaker": ["JAVA_OPTS"]},
    "persists": True,
    "configProperty": {
        "name": "emqx.telemetry--enable",
        "javaOptions": ["JAVA_OPTIONS"],
        "profiles": ["emqx.profile"],
    },
    "reading": {
        "enabled": ["yes"],
        "disabled": ["no"],
        "ignoreCase": False,
        "trim": True,
        "empty": "Unset",
        "otherwise": "Disabled",
    },
}
_ARGUMENT: Manifest = {
    "flag": "telemetry",
    "disabled": "-telemetry=no",
    "enabled": "-telemetry=yes",
    "aliases": ["phone-home"],
    "negation": "notelemetry",
    "dashes": "Any",
    "values": "Next",
    "bare": "Enabled",
    "ignoreCase": True,
    "endsAtWord": True,
    "booleans": ["verbose"],
    "programs": ["acme"],
    "scripts": ["entrypoint.sh"],
    "after": "run",
    "imageArguments": ["run"],
    "reading": _ENV["reading"],
}
_BARE_ARGUMENT: Manifest = {
    "flag": "telemetry",
    "disabled": "-telemetry=false",
    "dashes": "Any",
    "programs": ["acme"],
}
_RESOURCE: Manifest = {
    "group": "acme.example.com",
    "version": "v1beta2",
    "plural": "settings",
    "kind": "Setting",
    "name": "telemetry",
    "scope": "Cluster",
    "path": "spec.telemetry.enabled",
    "type": "String",
    "disabled": "false",
    "enabled": "true",
    "absent": "Unset",
    "defaultManagers": ["acme-manager"],
    "evidenceOnly": True,
    "reading": _ENV["reading"],
}
_BARE_RESOURCE: Manifest = {
    "group": "acme.example.com",
    "version": "v1",
    "plural": "settings",
    "kind": "Setting",
    "name": "telemetry",
    "path": "value",
    "disabled": "false",
}
_FULL: Manifest = {
    "spec": {
        "title": "EMQX",
        "homepage": "https://www.emqx.com",
        "overridesBuiltin": True,
        "base": "emqx",
        "api": {
            "adapter": "EMQX",
            "port": 18083,
            "portNames": ["dashboard"],
            "components": ["broker"],
        },
        "versions": {
            "majorTags": "WithSuffix",
            "lines": [
                {
                    "lowest": "5.0.0-dev",
                    "verified": "5.10",
                    "highest": "5",
                    "largestPatch": 49,
                    "largestMinor": 29,
                    "editions": ["open-source"],
                }
            ],
        },
        "images": [
            {
                "pattern": "emqx",
                "edition": "open-source",
                "component": "broker",
                "tags": ["release-{version}"],
                "excludeTags": ["*-search"],
                "excludeContainers": ["*-init"],
                "onlyContainers": ["broker"],
                "repositories": ["docker.io/emqx/emqx"],
                "start": {
                    "arguments": "Command",
                    "commands": [{"words": ["/opt/emqx/bin/emqx"], "arguments": "Flags"}],
                    "sources": ["emqx/emqx@v5.8.9:deploy/docker/Dockerfile"],
                },
            }
        ],
        "channels": [
            {
                "name": "Usage",
                "summary": "What is sent.",
                "hosts": [
                    {
                        "host": "telemetry.emqx.io",
                        "port": 8443,
                        "versions": [">=5.0.0"],
                        "components": ["broker"],
                        "addresses": ["192.0.2.1"],
                        "publishedRanges": "Cloudflare",
                        "sentBy": "Browser",
                        "alsoServes": "updates",
                    }
                ],
                "rules": [
                    {
                        "versions": [">=5.0.0 <5.0.23"],
                        "editions": ["open-source"],
                        "components": ["broker"],
                        "default": "On",
                        "provenance": "Documentation",
                        "switches": [
                            {
                                "semantics": "Seed",
                                "sufficient": False,
                                "suspend": False,
                                "env": _ENV,
                                "seedProof": {
                                    "path": "/opt/emqx/data",
                                    "redirectedBy": ["EMQX_*"],
                                    "redirectedByMounts": ["/opt/emqx/etc"],
                                    "userId": 1000,
                                },
                            },
                            {
                                "semantics": "Runtime",
                                "sufficient": False,
                                "suspend": False,
                                "env": _ENV,
                                "overrides": [
                                    {
                                        "argument": "-Dtelemetry=",
                                        "env": "JAVA_OPTIONS",
                                        "values": ["true"],
                                        "means": "Enabled",
                                        "ignoreCase": False,
                                    },
                                    {
                                        "argument": "-Dtelemetry=",
                                        "env": "JAVA_OPTIONS",
                                        "means": "Enabled",
                                        "ignoreCase": False,
                                    },
                                    {"mount": "/etc/emqx", "means": "Unknown", "ignoreCase": False},
                                ],
                                "ineffective": ["EMQX_TELEMETRY_ENABLED"],
                            },
                            {
                                "semantics": "Start",
                                "env": _ENV,
                                "sufficient": True,
                                "suspend": False,
                            },
                            {
                                "semantics": "Start",
                                "argument": _ARGUMENT,
                                "sufficient": False,
                                "suspend": False,
                            },
                            {"semantics": "Start", "suspend": True, "sufficient": False},
                            {
                                "semantics": "Runtime",
                                "resource": _RESOURCE,
                                "suspend": False,
                                "sufficient": True,
                            },
                        ],
                        "refuses": [
                            {
                                "env": "OLD",
                                "effect": "The product does not start.",
                                "configProperty": "old",
                            }
                        ],
                        "harmlessAnywhere": True,
                        "graceSeconds": 0,
                        "remedy": "Ask for another licence.",
                        "sources": ["emqx/emqx@v5.0.22:apps/emqx/src/emqx_config.erl"],
                    },
                    {
                        "versions": [">=6.0.0"],
                        "default": "NoTelemetry",
                        "harmlessAnywhere": False,
                        "graceSeconds": 0,
                        "provenance": "Source",
                    },
                    {
                        "versions": [">=7.0.0"],
                        "default": "On",
                        "switches": [
                            {"semantics": "Runtime", "sufficient": False, "suspend": False}
                        ],
                        "leaves": "a start event",
                        "graceSeconds": 600,
                        "harmlessAnywhere": False,
                        "provenance": "Source",
                    },
                ],
            }
        ],
    },
    "status": {"observedGeneration": 3, "conditions": [CONDITION]},
}

_LABEL = Text(
    says="the name has lower case letters, digits and dashes",
    matches=("standard", "a-b", "-", "9"),
    mismatches=("A", "a_b", "a.b", "a b", "é"),
    shortest=1,
    longest=63,
)
_PATH = Text(
    says="a path begins with a slash, and has no blanks and no control characters",
    matches=("/", "/a/b", "/.a-b_c", "/é", "/a\u00a0b"),
    mismatches=("", "a", " /a", "/a b", "/a\tb", "/a\vb", "./a"),
    longest=512,
    shape=beginning("/"),
)
_GLOB_SAYS = "a glob has letters, digits, dots, dashes, underscores, and the wildcards * and ?"
_NAME_GLOB = ("*-search", "a?c", "A.b_c-9", "*")
_EXCLUSION_RULES = (
    Rule(
        message="a pattern of wildcards alone would exclude everything; remove the image instead",
        accepts=("a*", "*1", "?b"),
        rejects=("*", "?*", "-", "*.*", "**"),
    ),
)
_NO_NAME_GLOB = ("", "a/b", "a b", "[a]", "a:b", "{a}", "é")
_RANGE = Text(
    says="a range is >= and its first version, < and the version after its last, or both with a "
    "blank between them, such as '>=4.13.0 <5.0.0'",
    matches=(">=1", "<2", ">=1 <2", ">=1<2", ">=4.13.0 <5.0.0-rc.2", "<5.0.0-dev", ">=26.7"),
    mismatches=(
        "1.0",
        "<=2",
        ">1",
        ">= 1",
        "<2 >=1",
        "~1",
        ">=1,<2",
        ">=v1",
        ">=1\t<2",
        ">=1\u00a0",
    ),
    shortest=2,
    longest=64,
    shape=lambda length: ("<" + "1" * length)[:length],
)


def _versions(path: str) -> dict[str, Check]:
    return {
        path: Array(item=lambda index: f">=1.{index} <2", kind="set", longest=8),
        f"{path}[0]": _RANGE,
    }


def _names(path: str, names: Array, name: Text) -> dict[str, Check]:
    return {path: names, f"{path}[0]": name}


def _image() -> dict[str, Check]:
    label = Text(
        says=_LABEL.says,
        matches=_LABEL.matches,
        mismatches=("", *_LABEL.mismatches),
        longest=63,
        default="standard",
    )
    return {
        "spec.images": Array(
            item=lambda index: {"pattern": f"image-{index}"},
            kind="atomic",
            shortest=1,
            longest=32,
        ),
        _IMAGE: Object(required=("pattern",)),
        f"{_IMAGE}.repositories": Array(
            item=lambda index: f"docker.io/emqx/emqx-{index}", kind="set", longest=16
        ),
        f"{_IMAGE}.repositories[0]": REGISTRY,
        f"{_IMAGE}.pattern": Text(
            says="write an image by the last parts of its repository, such as acme/server, with * "
            "and ? as wildcards: no port, no tag, no digest",
            matches=("emqx", "emqx/emqx", "a?b/*-cde.f_E9", "k6"),
            mismatches=("a:b", "a@b", "a b", "[ab]", "{a,b}", "é", "a|b"),
            shortest=1,
            longest=256,
            rules=(
                Rule(
                    message="the last part of the pattern names the image: it has letters or "
                    "digits, and at least three in a row beside wildcards, so that it does not "
                    "match every image",
                    accepts=("a", "*/abc", "abc*", "*/*abc?", "a-b", "x/y"),
                    rejects=(
                        *("*", "**", "*/*", "**/*", "?*", "registry.example/*", "acme/*", "a*"),
                        *("ab?", "a*b*c", "-", ".", "acme/", "/", "abc/**", "????"),
                    ),
                ),
            ),
        ),
        f"{_IMAGE}.edition": label,
        f"{_IMAGE}.component": Text(
            says=label.says,
            matches=label.matches,
            mismatches=label.mismatches,
            longest=63,
            default="server",
        ),
        **_names(
            f"{_IMAGE}.tags",
            Array(item=lambda index: f"{index}-{{version}}", kind="set", longest=16),
            Text(
                says="a tag has {version} in one place, such as stable-{version}, and around it "
                "letters, digits, dots, dashes, underscores, and the wildcards * and ?",
                matches=(
                    "{version}",
                    "stable-{version}",
                    "pg*-ts{version}",
                    "{version}_large?disk",
                ),
                mismatches=("", "version", "{}", "{version", "{version}-{version}", "a/{version}"),
                longest=128,
                shape=lambda length: "{version}" + "a" * (length - 9),
            ),
        ),
        **_names(
            f"{_IMAGE}.excludeTags",
            texts(16),
            Text(
                says=_GLOB_SAYS,
                matches=_NAME_GLOB[:3],
                mismatches=_NO_NAME_GLOB[1:],
                longest=128,
                rules=_EXCLUSION_RULES,
            ),
        ),
        **_names(
            f"{_IMAGE}.excludeContainers",
            texts(16),
            Text(
                says=_GLOB_SAYS,
                matches=_NAME_GLOB[:3],
                mismatches=_NO_NAME_GLOB[1:],
                longest=63,
                rules=_EXCLUSION_RULES,
            ),
        ),
        **_names(
            f"{_IMAGE}.onlyContainers",
            texts(16),
            Text(
                says=_GLOB_SAYS,
                matches=_NAME_GLOB[:3],
                mismatches=_NO_NAME_GLOB[1:],
                longest=63,
                rules=_EXCLUSION_RULES,
            ),
        ),
        **_start(),
    }


def _start() -> dict[str, Check]:
    start, arguments = f"{_IMAGE}.start", ("Product", "Flags", "Command")
    command = f"{start}.commands[0]"
    return {
        start: Object(required=("arguments",)),
        f"{start}.arguments": Choice(of=arguments),
        f"{start}.commands": Array(
            item=lambda index: {"words": [f"/bin/{index}"]}, kind="atomic", longest=16
        ),
        command: Object(required=("words",)),
        f"{command}.words": Array(
            item=lambda index: f"word {index}", kind="atomic", shortest=1, longest=16
        ),
        f"{command}.words[0]": text(512, shortest=1),
        f"{command}.arguments": Choice(of=arguments, default="Product"),
        f"{start}.sources": Array(item=lambda index: f"page {index}", kind="atomic", longest=16),
        f"{start}.sources[0]": text(512, shortest=1),
    }


_VERSION = Text(
    says="a version begins with a digit, such as 4.13.0: no v before it, no blanks",
    matches=("5", "5.10", "5.0.0-rc.2", "5.0.0+build"),
    mismatches=("v5", ".5", ">=5", "5 ", "5,1", "\u0665"),
    shortest=1,
    longest=32,
    shape=lambda length: "1" * length,
)


_PROPERTY = Text(
    says="a property has lower case letters, digits, dots and dashes, and begins with a letter",
    matches=("a", "dt.task.telemetry-submission.cron", "a.9"),
    mismatches=("A", "9", ".a", "a_b", "a b", "%a.b"),
    shortest=1,
    longest=256,
    shape=lambda length: "a" * length,
)


def _known_versions() -> dict[str, Check]:
    line = "spec.versions.lines[0]"
    return {
        "spec.versions": Object(),
        "spec.versions.majorTags": Choice(of=("None", "WithSuffix", "Any"), default="None"),
        "spec.versions.lines": Array(
            item=lambda index: {"lowest": f"{index}.0", "verified": f"{index}"},
            kind="atomic",
            longest=16,
        ),
        line: Object(required=("lowest", "verified")),
        f"{line}.lowest": _VERSION,
        f"{line}.verified": _VERSION,
        f"{line}.highest": _VERSION,
        f"{line}.largestPatch": Number(lowest=0),
        f"{line}.largestMinor": Number(lowest=0),
        **_names(f"{line}.editions", texts(8), _LABEL),
    }


def _host() -> dict[str, Check]:
    return {
        f"{_CHANNEL}.hosts": Array(
            item=lambda index: {"host": f"telemetry-{index}.example.com"},
            kind="atomic",
            longest=64,
        ),
        _HOST: Object(required=("host",)),
        f"{_HOST}.host": HOST,
        f"{_HOST}.port": Number(lowest=1, highest=65535, default=443),
        **_versions(f"{_HOST}.versions"),
        **_names(f"{_HOST}.components", texts(8), _LABEL),
        **_names(f"{_HOST}.addresses", texts(64), text(45)),
        f"{_HOST}.publishedRanges": Text(
            says="the only provider that is known is Cloudflare",
            matches=("Cloudflare",),
            mismatches=("", "cloudflare", "Fastly", "Cloudflares"),
        ),
        f"{_HOST}.sentBy": Choice(of=("Pod", "Browser"), default="Pod"),
        f"{_HOST}.alsoServes": text(256),
    }


def _env() -> dict[str, Check]:
    env = f"{_SWITCH}.env"
    return {
        env: Object(required=("name", "disabled")),
        f"{env}.word": Object(required=("begins",)),
        f"{env}.word.begins": Text(
            says="the word begins with a dash, such as -Dacme.telemetry=, and has no blanks and no "
            "quotes",
            matches=("-D",),
            mismatches=("", "-", "D=", "-D a", "-D'", "-D$", "-D@"),
            longest=256,
            shape=beginning("-"),
        ),
        f"{env}.word.weaker": Array(item=lambda index: f"A_{index}", kind="atomic", longest=8),
        f"{env}.word.weaker[0]": ENV_NAME,
        f"{env}.name": SWITCH_NAME,
        f"{env}.disabled": value(256),
        f"{env}.enabled": value(256),
        **_names(f"{env}.aliases", texts(16), ALIAS),
        f"{env}.anyCaseAfter": Text(
            says="the beginning of a variable's name has letters, digits, dashes, dots and "
            "underscores, and does not begin with a digit",
            matches=("", "EMQX_", "a.b-C_9"),
            mismatches=("9", "A=", "A B", "$"),
            longest=256,
        ),
        **_names(f"{env}.shadows", texts(16), ENV_NAME),
        **_names(f"{env}.exclusiveWith", texts(16), ENV_NAME),
        f"{env}.persists": Flag(default=False),
        f"{env}.configProperty": Object(required=("name",)),
        f"{env}.configProperty.name": _PROPERTY,
        **_names(
            f"{env}.configProperty.javaOptions",
            Array(item=lambda index: f"NAME_{index}", kind="atomic", longest=16),
            ENV_NAME,
        ),
        **_names(
            f"{env}.configProperty.profiles",
            Array(item=lambda index: f"profile.{index}", kind="set", longest=8),
            _PROPERTY,
        ),
        **_reading(f"{env}.reading"),
    }


def _override() -> dict[str, Check]:
    return {
        f"{_SWITCH}.overrides": Array(
            item=lambda index: {"env": f"NAME_{index}"}, kind="atomic", longest=16
        ),
        _OVERRIDE: Object(
            rules=(
                Rule(
                    message="an override by a mount names nothing else, and says what it means",
                    accepts=({"mount": "/etc/acme", "means": "Unknown"},),
                    rejects=(
                        {"mount": "/etc/acme"},
                        {"mount": "/etc/acme", "means": "Unknown", "env": "A"},
                        {"mount": "/etc/acme", "means": "Unknown", "argument": "-a"},
                    ),
                ),
                Rule(
                    message="an override names an argument, a variable or a mount",
                    accepts=(
                        {"argument": "-Da="},
                        {"env": "A"},
                        {"argument": "-Da=", "env": "A"},
                    ),
                    rejects=({}, {"means": "Enabled"}, {"values": ["1"], "means": "Enabled"}),
                ),
                Rule(
                    message="an override by certain values says what they mean",
                    accepts=(
                        {"env": "A", "values": ["1"], "means": "Enabled"},
                        {"env": "A", "means": "Enabled"},
                    ),
                    rejects=({"env": "A", "values": ["1"]},),
                ),
            ),
        ),
        f"{_OVERRIDE}.argument": text(256, shortest=1),
        f"{_SWITCH}.overrides[2].mount": replace(_PATH, given={"env": "A"}),
        f"{_OVERRIDE}.ignoreCase": Flag(default=False),
        f"{_OVERRIDE}.env": ENV_NAME,
        **_names(f"{_OVERRIDE}.values", texts(16), text(256)),
        f"{_SWITCH}.overrides[1].means": MEANING,
    }


def _with_words(disabled: str, enabled: str | None = None, **more: Any) -> Any:
    words = {"disabled": disabled, **({"enabled": enabled} if enabled else {})}
    return {"flag": "telemetry", "dashes": "Any", "programs": ["acme"], **words, **more}


@dataclass(frozen=True, kw_only=True)
class _Word(Text):
    """A word of the flag ab; ``other`` is the field with the other word."""

    other: str = "enabled"

    def tries(self, value: Any) -> Iterator[Try]:
        for one in super().tries(value):
            others = {"enabled": ABSENT, "disabled": "-ab=other"}
            words = {"flag": "ab", self.other: others[self.other]}
            yield replace(one, besides=words)


@dataclass(frozen=True, kw_only=True)
class _SwitchFlag(Text):
    """A flag, with a word of its negation beside it."""

    def tries(self, value: Any) -> Iterator[Try]:
        for one in super().tries(value):
            yield replace(one, besides={"disabled": "-notelemetry", "enabled": ABSENT})


def _of_class(check: type[Text], given: Text, **more: Any) -> Text:
    return check(**{**{name: getattr(given, name) for name in _TEXT_FIELDS}, **more})


_TEXT_FIELDS = ("says", "matches", "mismatches", "shortest", "longest", "shape")
_FLAG = Text(
    says="a flag has letters, digits, dots, dashes and underscores, and begins with a letter: "
    "leave out the dashes before it",
    matches=("ab", "reporting.enabled", "a-b_C.9"),
    mismatches=("-a", "9a", "a b", "a=b", "a/b", "\u00e9\u00e9", "$(AB)", "a,b"),
    shortest=2,
    longest=96,
)
_WORD = Text(
    says="a word has one or two dashes, the flag, and an equals sign and the value if there is "
    "one, such as --telemetry=false; the value has letters, digits, dots, dashes and underscores",
    matches=("-ab=false", "--ab", "-ab=", "--ab=a.b-C_1"),
    mismatches=(
        *("-ab=a b", "-ab=$(A)", "-ab=/etc/passwd", "-ab=a:b", "-ab=a,b", "-ab=\u00e9", "-ab=a=b"),
        *("-ab='a'", "-ab=a;b", "-ab=@a", "-ab=\ta"),
    ),
    longest=160,
    shape=beginning("-ab="),
)
_PROGRAM = Text(
    says="the name has letters, digits, dots, dashes and underscores, and ends with a letter or a "
    "digit: no path",
    matches=("loki", "a.b-C_1", "1", "crate.sh"),
    mismatches=("a/b", "a b", "a.", "$(A)", "/"),
    shortest=1,
    longest=64,
)
_ARGUMENT_PATH = f"{_RULE}.switches[3].argument"


def _argument() -> dict[str, Check]:
    path = _ARGUMENT_PATH
    return {
        path: Object(
            given={"semantics": "Runtime"},
            required=("flag", "disabled", "dashes", "programs"),
            rules=(
                Rule(
                    message="disabled and enabled are words of the flag, such as -flag=false for "
                    "the flag named flag",
                    accepts=(
                        _with_words("-telemetry=false", "--telemetry=true"),
                        _with_words("-telemetry"),
                        _with_words("--notelemetry", negation="notelemetry"),
                    ),
                    rejects=(
                        _with_words("-telemetr=false"),
                        _with_words("-telemetry=false", "-other=true"),
                        _with_words("--notelemetry"),
                        _with_words("-telemetry.x=false"),
                    ),
                ),
                Rule(
                    message="disabled and enabled begin with as many dashes as the field dashes "
                    "says",
                    accepts=(
                        _with_words("-telemetry=false", dashes="One"),
                        _with_words("--telemetry=false", dashes="Two"),
                    ),
                    rejects=(
                        _with_words("--telemetry=false", dashes="One"),
                        _with_words("-telemetry=false", dashes="Two"),
                        _with_words("--telemetry=false", "-telemetry=true", dashes="Two"),
                    ),
                ),
                Rule(
                    message="a flag that takes no value is written without =",
                    accepts=(_with_words("-telemetry", values="None"),),
                    rejects=(
                        _with_words("-telemetry=false", values="None"),
                        _with_words("-telemetry", "-telemetry=true", values="None"),
                    ),
                ),
                Rule(
                    message="disabled and enabled differ",
                    accepts=(_with_words("-telemetry=false", "-telemetry=true"),),
                    rejects=(_with_words("-telemetry=false", "-telemetry=false"),),
                ),
            ),
        ),
        f"{path}.flag": _of_class(
            _SwitchFlag,
            _FLAG,
            rules=(
                Rule(
                    message="this flag may not be a switch: this flag can make a program load "
                    "code, read other files, or send traffic or credentials elsewhere; set it in "
                    "the workload's own manifest",
                    accepts=(
                        *("reporting.enabled", "usage-stats.enabled", "disable-reporting"),
                        *("global.sendAnonymousUsage", "telemetry", "skip-version-check"),
                        *("enable-telemetry-reporting", "product-telemetry-disable"),
                        *("disable-anonymous-metrics", "version_check", "telemetry_enabled"),
                    ),
                    rejects=(
                        *("config", "config.file", "CONFIG-DIR", "plugin-path", "log-file"),
                        *("javaagent", "require", "exec", "ruler.exec-command", "init-script"),
                        *("server.url", "http.listen-port", "host", "tls-cert", "ca", "auth_type"),
                        *("privileged", "insecure-skip-verify", "api-token", "dbPassword", "env"),
                        *("remote.ADDR", "ld-preload", "proxyUrl", "modules.load", "shell"),
                    ),
                ),
            ),
        ),
        f"{path}.disabled": _of_class(_Word, _WORD),
        f"{path}.enabled": _of_class(_Word, _WORD, other="disabled"),
        **_names(
            f"{path}.aliases", Array(item=lambda i: f"alias-{i}", kind="set", longest=8), _FLAG
        ),
        f"{path}.negation": _FLAG,
        f"{path}.dashes": Choice(
            of=("One", "Two", "Any"),
            beside={"Two": {"disabled": "--telemetry=false", "enabled": "--telemetry=true"}},
        ),
        f"{path}.values": Choice(
            of=("Equals", "Next", "None"),
            default="Equals",
            beside={"None": {"disabled": "-telemetry", "enabled": "-notelemetry"}},
        ),
        f"{path}.bare": Choice(of=MEANING.of, default="Unknown"),
        f"{path}.ignoreCase": Flag(default=False),
        f"{path}.endsAtWord": Flag(default=False),
        **_names(
            f"{path}.booleans", Array(item=lambda i: f"flag-{i}", kind="set", longest=64), _FLAG
        ),
        **_names(
            f"{path}.programs",
            Array(item=lambda i: f"acme-{i}", kind="set", shortest=1, longest=8),
            _PROGRAM,
        ),
        **_names(
            f"{path}.scripts", Array(item=lambda i: f"acme-{i}.sh", kind="set", longest=4), _PROGRAM
        ),
        f"{path}.after": _PROGRAM,
        f"{path}.imageArguments": Array(item=lambda i: f"-a{i}", kind="atomic", longest=16),
        f"{path}.imageArguments[0]": text(256, shortest=1),
        **_reading(f"{path}.reading"),
    }


def _reading(path: str) -> dict[str, Check]:
    return {
        path: Object(),
        f"{path}.enabled": Array(
            item=lambda index: f"value {index}", kind="set", longest=16, default=["true"]
        ),
        f"{path}.enabled[0]": text(256),
        f"{path}.disabled": Array(
            item=lambda index: f"value {index}", kind="set", longest=16, default=["false"]
        ),
        f"{path}.disabled[0]": text(256),
        f"{path}.ignoreCase": Flag(default=True),
        f"{path}.trim": Flag(default=False),
        f"{path}.empty": Choice(of=MEANING.of, default="Unknown"),
        f"{path}.otherwise": Choice(of=MEANING.of, default="Unknown"),
    }


def _with_resource(**changes: Any) -> Manifest:
    return {**_BARE_RESOURCE, **changes}


def _resource() -> dict[str, Check]:
    path = f"{_RULE}.switches[5].resource"
    return {
        path: Object(
            required=("group", "version", "plural", "kind", "name", "path", "disabled"),
            given={"sufficient": False},
            rules=(
                Rule(
                    message="disabled and enabled differ",
                    accepts=(_with_resource(enabled="true"),),
                    rejects=(_with_resource(enabled="false"),),
                ),
                Rule(
                    message="the values of a Boolean are 'true' and 'false'",
                    accepts=(
                        _with_resource(type="Boolean"),
                        _with_resource(type="Boolean", enabled="true"),
                        _with_resource(type="String", disabled="no", enabled="yes"),
                    ),
                    rejects=(
                        _with_resource(type="Boolean", disabled="no"),
                        _with_resource(type="Boolean", enabled="True"),
                        _with_resource(type="Boolean", disabled=""),
                    ),
                ),
            ),
        ),
        f"{path}.group": Text(
            says="a group is that of a custom resource, such as acme.example.com: labels of lower "
            "case letters, digits and dashes, with dots between them",
            matches=("longhorn.io", "a.b", "my-acme.example.com", "k8s.io.example.com"),
            mismatches=("apps", "A.b", "a..b", ".a.b", "a.b.", "a_b.c", "*.io", "a.b/c"),
            shortest=3,
            longest=253,
            shape=lambda length: ("a." + "b" * length)[:length],
            rules=(
                Rule(
                    message="the group is the vendor's own: not one of Kubernetes, OpenShift or "
                    "this operator",
                    accepts=("notk8s.io", "k8s.io.example.com"),
                    rejects=(
                        *("rbac.authorization.k8s.io", "k8s.io", "cluster.x-k8s.io"),
                        *("policy.kubernetes.io", "oauth.openshift.io", "openshift.io"),
                        *("fleettelemetry.io", "more.fleettelemetry.io"),
                    ),
                ),
            ),
        ),
        f"{path}.version": Text(
            says="a version is written like v1 or v1beta2",
            matches=("v1", "v12", "v1alpha1", "v2beta12"),
            mismatches=("1", "v0", "V1", "v1beta", "v1.2", "v1rc1"),
            shortest=2,
            longest=32,
            shape=lambda length: ("v" + "1" * length)[:length],
        ),
        f"{path}.plural": Text(
            says="the plural has lower case letters, digits and dashes, and begins with a letter",
            matches=("settings", "a", "a-b9"),
            mismatches=("Settings", "a/status", "9a", "a-", "a.b", "*"),
            shortest=1,
            longest=63,
        ),
        f"{path}.kind": Text(
            says="a kind has letters and digits, and begins with a capital letter",
            matches=("Setting", "A", "A9b"),
            mismatches=("setting", "A-b", "A.b", "9A"),
            shortest=1,
            longest=63,
            shape=lambda length: "A" * length,
        ),
        f"{path}.name": DNS_SUBDOMAIN,
        f"{path}.scope": Choice(of=("WorkloadNamespace", "Cluster"), default="WorkloadNamespace"),
        f"{path}.path": Text(
            says="a path is names of fields with dots between them, such as "
            "spec.telemetry.enabled: no lists and no quotes",
            matches=("value", "spec.a", "a_b.C-d._e"),
            mismatches=("a.", ".a", "a..b", "a[0]", "a/b", "9a", "a.9", "a b", "$.a"),
            shortest=1,
            longest=96,
            rules=(
                Rule(
                    message="the path is that of a field that users set, at most 8 names long: "
                    "not in apiVersion, kind, metadata or status",
                    accepts=("a.b.c.d.e.f.g.h", "spec.metadata", "kinds", "statuses.a"),
                    rejects=(
                        *("a.b.c.d.e.f.g.h.i", "metadata", "metadata.labels.a", "status.phase"),
                        *("kind", "apiVersion"),
                    ),
                ),
            ),
        ),
        f"{path}.type": Choice(
            of=("String", "Boolean"),
            default="String",
        ),
        f"{path}.disabled": text(256),
        f"{path}.enabled": text(256),
        f"{path}.absent": Choice(of=("Unset", "Unknown"), default="Unknown"),
        f"{path}.defaultManagers": Array(
            item=lambda index: f"manager-{index}", kind="set", longest=8
        ),
        f"{path}.defaultManagers[0]": Text(
            says="a field manager has letters, digits, dots, dashes and underscores here",
            matches=("longhorn-manager", "A.b_9"),
            mismatches=("a b", "a/b", "é"),
            shortest=1,
            longest=128,
        ),
        f"{path}.evidenceOnly": Flag(default=False),
        **_reading(f"{path}.reading"),
    }


def _switch() -> dict[str, Check]:
    proof = {"path": "/data"}
    env = {"name": "A", "disabled": "false"}
    return {
        f"{_RULE}.switches": Array(
            item=lambda index: {"semantics": "Start", "env": {**env, "name": f"NAME_{index}"}},
            kind="atomic",
            longest=8,
        ),
        _SWITCH: Object(
            required=("semantics",),
            rules=(
                Rule(
                    message="an argument is a Start switch, and names no variable; write another "
                    "switch for that",
                    accepts=({"semantics": "Start", "argument": _BARE_ARGUMENT},),
                    rejects=(
                        {"semantics": "Start", "argument": _BARE_ARGUMENT, "env": env},
                        {"semantics": "Seed", "argument": _BARE_ARGUMENT},
                        {"semantics": "Runtime", "argument": _BARE_ARGUMENT},
                        {"semantics": "None", "argument": _BARE_ARGUMENT},
                    ),
                ),
                Rule(
                    message="a Seed or Start switch names its variable, or a Start switch its "
                    "argument",
                    accepts=(
                        {"semantics": "Seed", "env": env},
                        {"semantics": "Start", "env": env},
                        {"semantics": "Runtime", "env": env},
                        {"semantics": "Start", "resource": _BARE_RESOURCE},
                        {"semantics": "Runtime"},
                        {"semantics": "None"},
                    ),
                    rejects=(
                        {"semantics": "Seed"},
                        {"semantics": "Start"},
                        {"semantics": "Start", "suspend": False},
                    ),
                ),
                Rule(
                    message="suspend is a Start switch of its own: it names no variable and no "
                    "argument, and nothing overrides it",
                    accepts=(
                        {"semantics": "Start", "suspend": True},
                        {"semantics": "Start", "suspend": True, "overrides": []},
                        {"semantics": "Start", "suspend": False, "env": env},
                        {"semantics": "None", "suspend": False},
                    ),
                    rejects=(
                        {"semantics": "Start", "suspend": True, "env": env},
                        {"semantics": "Start", "suspend": True, "argument": _BARE_ARGUMENT},
                        {
                            "semantics": "Start",
                            "suspend": True,
                            "overrides": [{"env": "B", "means": "Enabled"}],
                        },
                        {"semantics": "Seed", "suspend": True, "env": env},
                        {"semantics": "Runtime", "suspend": True},
                        {"semantics": "None", "suspend": True},
                    ),
                ),
                Rule(
                    message="only a Start switch or a field of a custom resource is sufficient "
                    "alone",
                    accepts=(
                        {"semantics": "Runtime", "resource": _BARE_RESOURCE, "sufficient": True},
                        {"semantics": "Start", "env": env, "sufficient": True},
                        {"semantics": "Seed", "env": env, "sufficient": False},
                    ),
                    rejects=tuple(
                        {"semantics": semantics, "env": env, "sufficient": True}
                        for semantics in ("Seed", "Runtime", "None")
                    ),
                ),
                Rule(
                    message="resource is a Start or a Runtime switch of its own: it names no "
                    "variable and no argument, and nothing overrides it",
                    accepts=(
                        {"semantics": "Start", "resource": _BARE_RESOURCE},
                        {"semantics": "Runtime", "resource": _BARE_RESOURCE, "overrides": []},
                    ),
                    rejects=(
                        {"semantics": "None", "resource": _BARE_RESOURCE},
                        {"semantics": "Runtime", "resource": _BARE_RESOURCE, "env": env},
                        {
                            "semantics": "Runtime",
                            "resource": _BARE_RESOURCE,
                            "overrides": [{"env": "B", "means": "Enabled"}],
                        },
                        {
                            "semantics": "Start",
                            "resource": _BARE_RESOURCE,
                            "argument": _BARE_ARGUMENT,
                        },
                        {"semantics": "Start", "resource": _BARE_RESOURCE, "suspend": True},
                        {"semantics": "Seed", "resource": _BARE_RESOURCE, "env": env},
                    ),
                ),
                Rule(
                    message="only a Seed switch has a seedProof",
                    accepts=(
                        {"semantics": "Seed", "env": env, "seedProof": proof},
                        {"semantics": "Seed", "env": env},
                    ),
                    rejects=tuple(
                        {"semantics": semantics, "env": env, "seedProof": proof}
                        for semantics in ("Start", "Runtime", "None")
                    ),
                ),
            ),
        ),
        f"{_SWITCH}.semantics": Choice(of=("Seed", "Start", "Runtime", "None")),
        f"{_RULE}.switches[4].suspend": Flag(default=False, given={"semantics": "Runtime"}),
        **_env(),
        **_argument(),
        **_resource(),
        **_override(),
        f"{_SEED}.seedProof": Object(required=("path",)),
        f"{_SEED}.seedProof.path": _PATH,
        **_names(
            f"{_SEED}.seedProof.redirectedBy",
            texts(64),
            Text(matches=_NAME_GLOB, mismatches=_NO_NAME_GLOB, longest=256),
        ),
        **_names(
            f"{_SEED}.seedProof.redirectedByMounts",
            Array(item=lambda index: f"/path-{index}", kind="set", longest=16),
            _PATH,
        ),
        f"{_SEED}.seedProof.userId": Number(lowest=0),
        f"{_RULE}.switches[2].sufficient": Flag(default=False),
        **_names(f"{_SWITCH}.ineffective", texts(16), ENV_NAME),
    }


def _rule() -> dict[str, Check]:
    switch = {"semantics": "Runtime"}
    return {
        f"{_CHANNEL}.rules": Array(
            item=lambda index: {"default": "On", "versions": [f">={index}"]},
            kind="atomic",
            longest=32,
        ),
        _FREE_RULE: Object(
            required=("default",),
            rules=(
                Rule(
                    message="a version without telemetry has no switch",
                    accepts=(
                        {"default": "NoTelemetry"},
                        {"default": "NoTelemetry", "switches": []},
                        {"default": "Off", "switches": [switch]},
                    ),
                    rejects=({"default": "NoTelemetry", "switches": [switch]},),
                ),
                Rule(
                    message="leaves says what is sent in spite of switches; a rule without a "
                    "switch has a remedy",
                    accepts=(
                        {"default": "On", "leaves": ""},
                        {"default": "On", "leaves": "a start event", "switches": [switch]},
                    ),
                    rejects=(
                        {"default": "On", "leaves": "a start event"},
                        {"default": "On", "leaves": "a start event", "switches": []},
                    ),
                ),
                Rule(
                    message="graceSeconds is for a rule with switches: without one, nothing is "
                    "expected to stop",
                    accepts=(
                        {"default": "On", "graceSeconds": 0},
                        {"default": "On", "graceSeconds": 60, "switches": [switch]},
                    ),
                    rejects=(
                        {"default": "On", "graceSeconds": 60},
                        {"default": "On", "graceSeconds": 60, "switches": []},
                    ),
                ),
            ),
        ),
        **_versions(f"{_RULE}.versions"),
        **_names(f"{_RULE}.editions", texts(8), _LABEL),
        **_names(f"{_RULE}.components", texts(8), _LABEL),
        f"{_FREE_RULE}.default": Choice(of=("On", "Off", "ByLicence", "Unknown", "NoTelemetry")),
        **_switch(),
        f"{_RULE}.refuses": Array(
            item=lambda index: {"env": f"NAME_{index}", "effect": "an effect"},
            kind="map",
            key="env",
            twin={"env": "NAME_0", "effect": "another effect"},
            longest=16,
        ),
        f"{_RULE}.refuses[0]": Object(required=("env", "effect")),
        f"{_RULE}.refuses[0].env": SWITCH_NAME,
        f"{_RULE}.refuses[0].effect": text(512, shortest=1),
        f"{_RULE}.refuses[0].configProperty": _PROPERTY,
        f"{_RULE}.harmlessAnywhere": Flag(default=False),
        f"{_LEAVING_RULE}.leaves": text(512),
        f"{_LEAVING_RULE}.graceSeconds": Number(lowest=0, highest=86400, default=0),
        f"{_RULE}.remedy": text(1024),
        f"{_RULE}.provenance": Choice(of=("Source", "Documentation", "User"), default="Source"),
        f"{_RULE}.sources": Array(item=lambda index: f"page {index}", kind="atomic", longest=16),
        f"{_RULE}.sources[0]": text(512, shortest=1),
    }


def _named(name: str) -> Any:
    return {**_FULL, "metadata": {"name": name}}


_BARE: Manifest = {"title": "EMQX", "images": [{"pattern": "emqx"}]}

_TABLE: dict[str, Check] = {
    "": Object(
        required=("spec",),
        rules=(
            Rule(
                message="a product's name has lower case letters, digits and dashes, at most 63",
                accepts=(_named("a"), _named("dependency-track"), _named("0"), _named("a" * 63)),
                # Names that Kubernetes itself would take.
                rejects=(_named("a.b"), _named("a" * 64)),
            ),
        ),
    ),
    "spec": Object(
        required=("title", "images"),
        rules=(
            Rule(
                message="a product has channels, or a base that has them",
                accepts=(
                    {**_BARE, "base": "emqx"},
                    {**_BARE, "base": "emqx", "channels": []},
                    {**_BARE, "channels": [{"name": "Usage"}]},
                ),
                rejects=(_BARE, {**_BARE, "channels": []}),
            ),
        ),
    ),
    "spec.base": DNS_LABEL,
    "spec.title": text(128, shortest=1),
    "spec.overridesBuiltin": Flag(default=False),
    "spec.homepage": Text(
        says="a home page begins with https://",
        matches=("", "https://www.emqx.com", "https://a/é?b#c"),
        mismatches=("http://a", "https://", "ftp://a", "www.emqx.com", " https://a"),
        longest=512,
        shape=beginning("https://"),
    ),
    "spec.api": Object(required=("adapter", "port")),
    "spec.api.adapter": Choice(of=("DependencyTrack", "SonarQube", "EMQX", "Sourcegraph")),
    "spec.api.port": Number(lowest=1, highest=65535),
    **_names("spec.api.portNames", texts(8), text(63, shortest=1)),
    **_names("spec.api.components", texts(8), _LABEL),
    **_image(),
    **_known_versions(),
    "spec.channels": Array(
        item=lambda index: {"name": (*CHANNELS, "Nonsense")[index]},
        kind="map",
        key="name",
        twin={"name": CHANNELS[0], "summary": "another"},
        longest=4,
    ),
    _CHANNEL: Object(required=("name",)),
    f"{_CHANNEL}.name": CHANNEL,
    f"{_CHANNEL}.summary": text(2048),
    **_host(),
    **_rule(),
    "status": Object(),
    "status.observedGeneration": Number(lowest=0),
    **conditions(8),
}

PRODUCT = Kind(
    resource=TELEMETRY_PRODUCT,
    full=_FULL,
    bare={
        "spec": {
            "title": "EMQX",
            "images": [{"pattern": "emqx"}],
            "channels": [{"name": "Usage"}],
        }
    },
    table=_TABLE,
)
