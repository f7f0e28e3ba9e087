"""A page of docs/ for each product of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.product import (
    AdapterName,
    Api,
    Channel,
    ChannelRule,
    DefaultState,
    Host,
    Image,
    Override,
    Semantics,
    Switch,
    TelemetryProductSpec,
)
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.vendors.adapters import ADAPTERS

_DEFAULTS = {
    DefaultState.ON: "sends",
    DefaultState.OFF: "sends nothing",
    DefaultState.BY_LICENCE: "the licence decides",
    DefaultState.UNKNOWN: "not known",
    DefaultState.NO_TELEMETRY: "has no telemetry",
}
_ASKING = {
    AdapterName.DEPENDENCY_TRACK: (
        "An API key of a team with the permission SYSTEM_CONFIGURATION (version 5: "
        "SYSTEM_CONFIGURATION_READ is enough to verify). Read: the setting, when something was "
        "sent last, and the names of its fields. `Remediate` sets it."
    ),
    AdapterName.SONARQUBE: (
        "A user token of a system administrator: no other route tells the effective value. "
        "It cannot be set at run time, so `Remediate` does no more than `Verify`; a contrary "
        "answer while the pods are older than the template reads RestartNeeded."
    ),
    AdapterName.EMQX: (
        "An API key; the role viewer is enough to verify, `Remediate` needs administrator. Each "
        "node has a setting of its own, and one that differs is named. Read: the setting, and the "
        "names of the fields that would be sent. What is set here lasts until the next start: the "
        "variable is what lasts."
    ),
    AdapterName.SOURCEGRAPH: (
        "An access token of a site administrator. Read: update.channel of the site configuration, "
        "the licence's tags, and what was exported last. `Remediate` sets update.channel to none "
        "and leaves every other byte of the site configuration as it is; where SITE_CONFIG_FILE "
        "owns it, that cannot be done and is said."
    ),
}
_SEMANTICS = {
    Semantics.SEED: (
        "counts only when the product first initialises its data",
        "the product's own report, or a proof that its data began with the setting",
    ),
    Semantics.START: (
        "read at every start",
        "every pod was started with the setting",
    ),
    Semantics.RUNTIME: (
        "switched in the product itself",
        "the product's own report",
    ),
    Semantics.NONE: ("has no effect", "nothing can: NotEnforceable"),
}


def index_page(products: Iterable[Product]) -> str:
    """docs/products/README.md."""
    rows = [
        f"| [{p.spec.title}]({p.name}.md) | `{p.name}` | "
        f"{', '.join(channel.name for channel in p.spec.channels)} |"
        for p in products
    ]
    lines = [
        "# Products",
        "",
        "The built-in catalogue. A [TelemetryProduct](../api.md#telemetryproduct) adds to it or",
        "replaces an entry ([example](../../examples/policies/product.yaml)).",
        "",
        "| product | name in policies | channels |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def product_page(name: str, spec: TelemetryProductSpec) -> str:
    """docs/products/<name>.md."""
    lines = [f"# {spec.title}", "", f"Name in policies: `{name}`. Made by: <{spec.homepage}>.", ""]
    lines += ["## Images", "", "| image | edition | component | not |", "|---|---|---|---|"]
    lines += [_image(image) for image in spec.images]
    lines += ["", "Any registry and mirror path in front is understood, with or without a digest."]
    for channel in spec.channels:
        lines += ["", *_channel(channel)]
    if spec.api is not None:
        lines += ["", *_api(name, spec.api)]
    return "\n".join(lines) + "\n"


def _api(name: str, api: Api) -> Iterator[str]:
    adapter = ADAPTERS[api.adapter]
    keys = " ".join(f"--from-literal={key}=..." for key in adapter.keys)
    yield "## Asking it"
    yield ""
    where = "every pod" if adapter.per_pod else "the Service of the pods"
    yield f"{_ASKING[api.adapter]} {where.capitalize()} is asked, on port {api.port}."
    yield ""
    yield "The Secret that the policy names:"
    yield ""
    yield f"    kubectl create secret generic {name} {keys}"
    yield ""
    yield "and `--from-file=ca.crt=...` where the API speaks TLS with a CA of your own."


def _image(image: Image) -> str:
    excluded = [f"tag `{tag}`" for tag in image.exclude_tags]
    excluded += [f"container `{name}`" for name in image.exclude_containers]
    return f"| `{image.pattern}` | {image.edition} | {image.component} | {', '.join(excluded)} |"


def _channel(channel: Channel) -> Iterator[str]:
    yield f"## {channel.name}"
    if channel.summary:
        yield from ("", channel.summary)
    if channel.hosts:
        yield from ("", "| host | port | where | addresses |", "|---|---|---|---|")
        yield from (_host(host) for host in channel.hosts)
    for rule in channel.rules:
        yield from ("", *_rule(rule))


def _host(host: Host) -> str:
    published = [f"published by {host.published_ranges}"] if host.published_ranges else []
    addresses = ", ".join([*host.addresses, *published])
    return (
        f"| `{host.host}` | {host.port} | {_where(host.versions, host.components)} | {addresses} |"
    )


def _where(*kinds: Iterable[str]) -> str:
    return "; ".join(", ".join(kind) for kind in kinds if kind) or "everywhere"


def _rule(rule: ChannelRule) -> Iterator[str]:
    yield f"### {_where(rule.versions, rule.editions, rule.components)}"
    yield ""
    yield f"- Told nothing: {_DEFAULTS[rule.default]}."
    for switch in rule.switches:
        yield from _switch(switch)
    for refused in rule.refuses:
        yield f"- Never `{refused.env}`: {refused.effect}."
    if not rule.switches and rule.default is not DefaultState.NO_TELEMETRY:
        yield "- No switch is known to work: NotEnforceable."
    if rule.harmless_anywhere:
        yield "- Also set where the version cannot be read, because it does no harm to any."
    if rule.remedy:
        yield f"- What helps: {rule.remedy}"
    if rule.sources:
        yield f"- Read in: {', '.join(f'`{source}`' for source in rule.sources)}."


def _switch(switch: Switch) -> Iterator[str]:
    effect, proof = _SEMANTICS[switch.semantics]
    if switch.env is None:
        yield f"- Switch: none in the workload, {effect}. Compliant means: {proof}."
        return
    env = switch.env
    on = f', `"{env.enabled}"` turns on' if env.enabled is not None else ""
    yield (
        f'- Switch: `{env.name}`, {effect} (`{switch.semantics}`). `"{env.disabled}"` turns off'
        f"{on}. Compliant means: {proof}."
    )
    if env.aliases:
        yield f"- Also read as: {', '.join(f'`{alias}`' for alias in env.aliases)}."
    beats = [_override(override) for override in switch.overrides]
    if beats:
        yield f"- Beaten by, strongest first: {', '.join(beats)}."
    if switch.ineffective:
        names = ", ".join(f"`{name}`" for name in switch.ineffective)
        yield f"- Often mistaken for it, without any effect: {names}."
    if switch.seed_proof is not None:
        yield f"- Its data, if embedded, is in `{switch.seed_proof.path}`."


def _override(override: Override) -> str:
    if override.argument and override.env:
        return f"`{override.argument}` in `{override.env}`"
    return f"`{override.argument or override.env}`"
