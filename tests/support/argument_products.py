"""Products that are switched by an argument, and containers that run them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import msgspec

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.catalogue import Catalogue
from tests.support.builders import (
    Cluster,
    Manifest,
    catalogue,
    claimed,
    container,
    containers_of,
    manifest,
    policy,
    product,
    under,
)

GO_BOOLEAN = {
    "enabled": ["1", "t", "T", "true", "TRUE", "True"],
    "disabled": ["0", "f", "F", "false", "FALSE", "False"],
    "ignoreCase": False,
}
GO: dict[str, Any] = {
    "flag": "telemetry",
    "disabled": "-telemetry=false",
    "enabled": "-telemetry=true",
    "dashes": "Any",
    "bare": "Enabled",
    "endsAtWord": True,
    "programs": ["acme"],
    "imageArguments": ["-config.file=/etc/acme.yaml"],
    "reading": GO_BOOLEAN,
}
"""As Go's package flag reads it."""
RUN: dict[str, Any] = {
    "flag": "disable-telemetry",
    "disabled": "--disable-telemetry",
    "dashes": "Two",
    "bare": "Disabled",
    "after": "run",
    "programs": ["acme"],
    "scripts": ["entrypoint.sh"],
    "booleans": ["verbose"],
    "reading": {**GO_BOOLEAN, "enabled": ["false"], "disabled": ["true"]},
}
"""As pflag reads it, with a subcommand. Nothing enables but its absence."""
NEXT: dict[str, Any] = {
    "flag": "telemetry",
    "disabled": "--telemetry=off",
    "enabled": "--telemetry=on",
    "dashes": "Two",
    "values": "Next",
    "programs": ["acme"],
    "imageArguments": [],
    "reading": {"enabled": ["on"], "disabled": ["off"]},
}
ABSL: dict[str, Any] = {
    "flag": "telemetry",
    "negation": "notelemetry",
    "disabled": "--telemetry=false",
    "enabled": "--telemetry=true",
    "aliases": ["phone_home"],
    "dashes": "Any",
    "bare": "Enabled",
    "programs": ["acme"],
    "imageArguments": [],
    "ignoreCase": True,
}

IMAGE = "acme/acme:1.2.3"
ALLOWED = {"arguments": True}


def switch(of: Manifest) -> Switch:
    return msgspec.convert({"semantics": "Start", "argument": of}, Switch)


def with_product(*switches: Manifest, default: str = "On", **rule: Any) -> Catalogue:
    """A catalogue with the built-in product acme, whose switches are arguments."""
    rules = [
        {
            "default": default,
            "switches": [{"semantics": "Start", "argument": one} for one in switches],
            **rule,
        }
    ]
    versions = {"lines": [{"lowest": "1.0.0", "verified": "1.9", "highest": "2"}]}
    channels = [{"name": "Usage", "rules": rules}]
    return catalogue(product("acme", channels=channels, versions=versions))


def cluster(of: Manifest, *, submission: str = "Disabled", **injection: Any) -> Cluster:
    """One policy that covers acme and writes arguments."""
    return under(opt(submission, **injection), catalogue=with_product(of))


def opt(submission: str = "Disabled", **injection: Any) -> Policy:
    spec = {"submission": submission, "injection": {**ALLOWED, **injection}}
    return policy(additionalProducts=["acme"], **spec)


def acme(
    args: Sequence[str] | None = None,
    command: Sequence[str] | None = None,
    *,
    image: str = IMAGE,
    **more: Any,
) -> Manifest:
    """A Deployment that runs acme; its author owns what it has."""
    words: dict[str, Any] = {} if args is None else {"args": list(args)}
    words |= {} if command is None else {"command": list(command)}
    return owned(manifest(container(image, **words), **more))


def owned(given: Manifest, manager: str = "helm") -> Manifest:
    """The same object; a manager owns the lists of arguments."""
    return claimed(given, manager=manager)


def args_of(given: Manifest) -> list[str] | None:
    """The arguments of the container that is called app; None if it has none."""
    found: list[str] | None = containers_of(given)[0].get("args")
    return found


def with_args(given: Manifest, args: Sequence[str] | None) -> Manifest:
    """The same object with other arguments, and the same owners."""
    changed = copy.deepcopy(given)
    if args is None:
        containers_of(changed)[0].pop("args", None)
    else:
        containers_of(changed)[0]["args"] = list(args)
    return changed
