"""What may stand between a container's variables and the product: all of it is a doubt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.switches.start import doubt_of_start
from tests.support.builders import (
    DTRACK_4,
    DTRACK_5,
    EMQX,
    EMQX_ENTERPRISE,
    FRONTEND,
    SONARQUBE,
    SONARQUBE_9_8,
    WORKER,
    catalogue,
    container,
    manifest,
    product,
    workload,
)
from tests.support.depth import examples
from tests.support.every import every

SERVER = "sourcegraph/server:5.6.0"
LINE = "unset SONAR_TELEMETRY_ENABLE; exec /opt/sonarqube/docker/entrypoint.sh"
ENTRY = "/opt/sonarqube/docker/entrypoint.sh"


def doubt(image: str, more: Mapping[str, Any], known: Catalogue | None = None) -> str:
    (found,) = match_containers(
        workload(manifest(container(image, **more))).template, known or builtin()
    )
    return doubt_of_start(found)


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("sh", "-c", LINE),
    ("/bin/sh", "-c", LINE),
    ("/bin/bash", "-c"),
    ("bash", "-ec", "source /vault/secrets/env && exec " + ENTRY),
    ("sh", "-ec", LINE),
    ("sh", "-e", "-c", LINE),
    ("/bin/busybox", "ash", "-c", LINE),
    ("ash", "-c", LINE),
    ("dash", "-c", LINE),
    ("zsh", "-lc", LINE),
    ("env", "-u", "SONAR_TELEMETRY_ENABLE", ENTRY),
    ("env", "-i", ENTRY),
    ("/usr/bin/env", ENTRY),
    ("/usr/bin/env", "SONAR_TELEMETRY_ENABLE=true", ENTRY),
    ("tini", "--", "sh", "-c", LINE),
    ("/sbin/tini", "--", "/sbin/tini", "--", "env", "-i", ENTRY),
    ("/sbin/tini", "-g", "--", ENTRY),
    ("dumb-init", "sh", "-c", LINE),
    ("dumb-init", "--rewrite", "15:3", ENTRY),
    ("/tmp/tini", "--", ENTRY),
    ("tini",),
    ("tini", "--"),
    ("gosu", "sonarqube", ENTRY),
    ("su-exec", "sonarqube", ENTRY),
    ("sudo", ENTRY),
    ("sudo", "-E", ENTRY),
    ("chroot", "/other", ENTRY),
    ("setpriv", "--reset-env", ENTRY),
    ("nohup", ENTRY),
    ("python", "-c", "import os"),
    ("/scripts/start.sh",),
    ("/vault/vault-env",),
    ("/vault/vault-env", ENTRY),
    ("envconsul", "-upcase", ENTRY),
    ("doppler", "run", "--", ENTRY),
    ("sops", "exec-env", "/secrets", ENTRY),
    ("chamber", "exec", "x", "--", ENTRY),
    ("docker/entrypoint.sh",),
    ("entrypoint.sh",),
    (ENTRY + " -x",),
    ("/opt/sonarqube/docker/../docker/entrypoint.sh",),
    ("$(START)",),
    ("",),
    (ENTRY, "sh", "-c", LINE),
    (ENTRY, "--env-file=/secrets/env"),
    (ENTRY, "-Dx=y", "@/scripts/options"),
    ("/opt/emqx/bin/emqx", "foreground"),
)


@every("words", COMMANDS, ids=" ".join)
@every("split", [None, 1])
def test_a_command_that_is_not_known_is_doubted(words: tuple[str, ...], split: int | None) -> None:
    """Whether the words are all in ``command`` or partly in ``args``."""
    more = {"command": list(words[:split]), "args": list(words[split:]) if split else []}
    assert doubt(SONARQUBE, more) == "command"


ARGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (SONARQUBE, ("sh", "-c", LINE)),
    (SONARQUBE, ("/scripts/start.sh",)),
    (SONARQUBE, ("--env-file", "/secrets/env")),
    (SONARQUBE, ("-Da=b", "-XX:VMOptionsFile=/scripts/options")),
    (EMQX, ("sh", "-c", "unset EMQX_TELEMETRY__ENABLE; exec emqx foreground")),
    (EMQX, ("-c", "x")),
    (EMQX, ("/opt/emqx/bin/emqx", "console")),
    (DTRACK_4, ("-Dx=y",)),
    (DTRACK_5, ("java", "-jar", "x")),
    (WORKER, ("@/scripts/options",)),
    # Nobody says what the entry point of this product is.
    ("acme/acme:1", ("unset X; exec acme",)),
    ("acme/acme:1", ("-c", "unset X; exec acme")),
    ("acme/acme:1", ("-e", "-uc", "unset X; exec acme")),
    ("acme/acme:1", ("server",)),
)
ACME = catalogue(product("acme", channels=[{"name": "Usage", "rules": [{"default": "On"}]}]))


@pytest.mark.parametrize(("image", "words"), ARGS)
def test_arguments_that_are_or_may_be_a_command_are_doubted(
    image: str, words: tuple[str, ...]
) -> None:
    assert doubt(image, {"args": list(words)}, ACME) == "args"


OTHERS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"workingDir": "/scripts"}, "workingDir"),
    ({"lifecycle": {"postStart": {"exec": {"command": ["/x"]}}}}, "lifecycle.postStart"),
    ({"lifecycle": {"postStart": {"httpGet": {"port": 1}}}}, "lifecycle.postStart"),
    ({"env": {"BASH_ENV": "/scripts/env"}}, "the variable BASH_ENV"),
    ({"env": {"LD_PRELOAD": "/scripts/env.so"}}, "the variable LD_PRELOAD"),
    ({"env": {"PATH": "/scripts:/bin"}}, "the variable PATH"),
    (
        {"volumeMounts": [{"name": "x", "mountPath": ENTRY}]},
        f"the volume mounted at {ENTRY}",
    ),
    (
        {"volumeMounts": [{"name": "x", "mountPath": "/opt//sonarqube/./docker/"}]},
        "the volume mounted at /opt/sonarqube/docker",
    ),
    ({"volumeMounts": [{"name": "x", "mountPath": "/"}]}, "the volume mounted at /"),
    (
        {
            "command": ["/usr/bin/tini", "--", ENTRY],
            "volumeMounts": [{"name": "x", "mountPath": "/usr/bin/tini"}],
        },
        "the volume mounted at /usr/bin/tini",
    ),
)


@pytest.mark.parametrize(("more", "said"), OTHERS)
def test_what_else_may_change_variables_is_doubted(more: dict[str, Any], said: str) -> None:
    assert doubt(SONARQUBE, more) == said


KNOWN: tuple[tuple[str, dict[str, Any]], ...] = (
    (SONARQUBE, {}),
    (SONARQUBE, {"args": ["-Dsonar.web.context=/sonar"]}),
    (SONARQUBE, {"args": [ENTRY, "-Da=b"]}),
    (SONARQUBE, {"command": [ENTRY]}),
    (SONARQUBE, {"command": [ENTRY, "-Da=b"], "args": ["-Dc=d"]}),
    (SONARQUBE, {"command": ["/sbin/tini", "--"], "args": [ENTRY, "-Da=b"]}),
    (SONARQUBE, {"command": ["dumb-init", ENTRY]}),
    (SONARQUBE, {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "9"]}}}}),
    (SONARQUBE, {"livenessProbe": {"exec": {"command": ["sh", "-c", "curl localhost"]}}}),
    (
        SONARQUBE,
        {
            "volumeMounts": [
                {"name": "x", "mountPath": "/opt/sonarqube/data"},
                {"name": "y", "mountPath": "/opt/sonarqube/conf/"},
                {"name": "z", "mountPath": "/opt/sonarqube/doc"},
            ]
        },
    ),
    (SONARQUBE_9_8, {"command": ["/opt/sonarqube/bin/run.sh", "/opt/sonarqube/bin/sonar.sh"]}),
    (EMQX, {}),
    (EMQX, {"args": ["/opt/emqx/bin/emqx", "foreground"]}),
    (EMQX_ENTERPRISE, {"command": ["/usr/bin/docker-entrypoint.sh"]}),
    (
        EMQX,
        {
            "command": ["/usr/bin/docker-entrypoint.sh"],
            "args": ["/opt/emqx/bin/emqx", "foreground"],
        },
    ),
    (DTRACK_4, {}),
    (DTRACK_5, {}),
    # As the vendor's own chart has it.
    (FRONTEND, {"args": ["serve"]}),
    (FRONTEND, {"command": ["/sbin/tini", "--", "/frontend"], "args": ["serve"]}),
    (WORKER, {"command": ["/worker"]}),
    (SERVER, {"command": ["/server"]}),
    ("acme/acme:1", {"args": ["--port=80", "--name", "a b"]}),
)


@every(("image", "more"), KNOWN)
def test_the_starts_of_the_images_are_known(image: str, more: dict[str, Any]) -> None:
    assert doubt(image, more, ACME) == ""


def test_a_product_of_the_users_own_says_how_it_starts() -> None:
    start = {
        "arguments": "Product",
        "commands": [{"words": ["acme", "serve"], "arguments": "Command"}],
    }
    rules = [{"default": "On"}]
    own = catalogue(
        product(
            "acme",
            images=[{"pattern": "acme/acme", "start": start}],
            channels=[{"name": "Usage", "rules": rules}],
        )
    )
    assert doubt("acme/acme:1", {"args": ["server", "-c", "x"]}, own) == ""
    assert doubt("acme/acme:1", {"command": ["acme", "serve"]}, own) == ""
    assert doubt("acme/acme:1", {"command": ["acme", "serve", "sh"]}, own) == "command"
    assert doubt("acme/acme:1", {"command": ["acme"]}, own) == "command"


IMAGES = st.sampled_from([SONARQUBE, EMQX, DTRACK_4, DTRACK_5, FRONTEND, WORKER, SERVER])
ENTRIES = [(image, more.get("command", []) + more.get("args", [])) for image, more in KNOWN if more]


@examples(200)
@given(
    st.sampled_from([pair for pair in ENTRIES if pair[1] and not pair[1][0].startswith("acme")]),
    st.text(min_size=1, max_size=8).filter(lambda word: "tini" not in word and "init" not in word),
)
def test_any_word_in_front_of_a_known_start_is_doubted(
    pair: tuple[str, list[str]], word: str
) -> None:
    image, words = pair
    assert doubt(image, {"command": [word, *words]}, ACME) == "command"


@examples(200)
@given(IMAGES, st.lists(st.text(max_size=8), max_size=4), st.lists(st.text(max_size=8), max_size=4))
def test_a_doubt_shows_no_word_of_the_container(
    image: str, command: list[str], args: list[str]
) -> None:
    assert doubt(image, {"command": command, "args": args}) in ("", "args", "command")
