"""A page of docs/ for each product of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.product.argument_switch import ArgumentSwitch
from fleet_telemetry.api.product.channel import Channel, ChannelRule, Host, Provenance, Sender
from fleet_telemetry.api.product.env_switch import ConfigProperty, EnvSwitch
from fleet_telemetry.api.product.image import Arguments, Image
from fleet_telemetry.api.product.resource_switch import AbsentObject, FieldScope, ResourceSwitch
from fleet_telemetry.api.product.setting import DefaultState, Semantics
from fleet_telemetry.api.product.spec import AdapterName, Api, TelemetryProductSpec
from fleet_telemetry.api.product.switch import Override, Switch
from fleet_telemetry.api.product.versions import KnownVersions, MajorTags
from fleet_telemetry.kube.secrets import CREDENTIAL_LABEL
from fleet_telemetry.vendors.adapters import ADAPTERS

_DEFAULTS = {
    DefaultState.ON: "sends",
    DefaultState.OFF: "sends nothing",
    DefaultState.BY_LICENCE: "depends on the licence",
    DefaultState.UNKNOWN: "unknown",
    DefaultState.NO_TELEMETRY: "this version has no telemetry",
}
_CHECKS = {
    AdapterName.DEPENDENCY_TRACK: (
        "An API key of a team with the permission SYSTEM_CONFIGURATION (version 5: "
        "SYSTEM_CONFIGURATION_READ suffices to verify). The check reads the setting, the time of "
        "the last submission, and the names of its fields. `Remediate` sets the setting."
    ),
    AdapterName.SONARQUBE: (
        "A user token of a system administrator: no other API route returns the effective value. "
        "The setting cannot be changed at run time, so `Remediate` does the same as `Verify`. If "
        "the opposite is reported while pods are older than the template: RestartNeeded."
    ),
    AdapterName.EMQX: (
        "An API key. The role viewer suffices to verify; `Remediate` requires administrator. Each "
        "node has its own setting, and nodes that differ are named. The check reads the setting "
        "and the names of the fields that would be sent. A remediation lasts until the next "
        "start; only the variable is permanent."
    ),
    AdapterName.SOURCEGRAPH: (
        "An access token of a site administrator. The check reads update.channel of the site "
        "configuration, the licence's tags, and the last export. `Remediate` sets update.channel "
        "to none and leaves every other byte of the site configuration unchanged. If "
        "SITE_CONFIG_FILE owns the configuration, it cannot be changed: NotSettable."
    ),
}
_MAJOR_TAGS = {
    MajorTags.NONE: "A tag with a single number, such as `5`, is taken for a build number.",
    MajorTags.WITH_SUFFIX: (
        "A tag with a single number is read if it has a suffix, as in `5-lts`; without one it is "
        "taken for a build number."
    ),
    MajorTags.ANY: "A tag with a single number, such as `5`, is any version of that number.",
}
_SEMANTICS = {
    Semantics.SEED: (
        "read only when the product first initialises its data",
        "the product reports it, or its data is proven to be initialised with it",
    ),
    Semantics.START: (
        "read at every start",
        "every pod was started with it",
    ),
    Semantics.RUNTIME: (
        "switched in the product itself",
        "the product reports it",
    ),
    Semantics.NONE: ("has no effect", "never: NotEnforceable"),
}


def product_page(name: str, spec: TelemetryProductSpec) -> str:
    """docs/products/<name>.md."""
    lines = [
        f"# {spec.title}",
        "",
        f"Name in policies: `{name}`. Home page: <{spec.homepage}>.",
        "",
    ]
    lines += ["## Images", "", "| image | edition | component | excluded |", "|---|---|---|---|"]
    lines += [_image(image) for image in spec.images]
    lines += ["", "Registry and mirror prefixes are ignored, and a digest may follow."]
    lines += _starts(spec.images)
    if spec.versions.lines:
        lines += ["", *_versions(spec.versions)]
    for channel in spec.channels:
        lines += ["", *_channel(channel)]
    if spec.api is not None:
        lines += ["", *_api(name, spec.api)]
    return "\n".join(lines) + "\n"


def _api(name: str, api: Api) -> Iterator[str]:
    adapter = ADAPTERS[api.adapter]
    keys = " ".join(f"--from-literal={key}=..." for key in adapter.keys)
    yield "## API checks"
    yield ""
    where = "Every pod" if adapter.per_pod else "A ready pod of the workload"
    yield f"{_CHECKS[api.adapter]} {where} is queried, on port {api.port}."
    yield ""
    yield "Create the Secret that the policy names:"
    yield ""
    yield f"    kubectl create secret generic {name} {keys}"
    yield f"    kubectl label secret {name} {CREDENTIAL_LABEL}=true"
    yield ""
    yield "Add `--from-file=ca.crt=...` if the API uses TLS with your own CA."


def _image(image: Image) -> str:
    excluded = [f"tag `{tag}`" for tag in image.exclude_tags]
    excluded += [f"container `{name}`" for name in image.exclude_containers]
    if image.only_containers:
        names = " or ".join(f"`{name}`" for name in image.only_containers)
        excluded.append(f"every container but {names}")
    tags = f" (tags {', '.join(f'`{tag}`' for tag in image.tags)})" if image.tags else ""
    return (
        f"| `{image.pattern}`{tags} | {image.edition} | {image.component} | {', '.join(excluded)} |"
    )


def _versions(known: KnownVersions) -> Iterator[str]:
    yield from ("## Versions", "")
    yield (
        "| first | verified up to | last possible | largest second number | largest third number "
        "| editions |"
    )
    yield "|---|---|---|---|---|---|"
    for line in known.lines:
        patch = "any" if line.largest_patch is None else line.largest_patch
        minor = "any" if line.largest_minor is None else line.largest_minor
        cells = line.lowest, line.verified, line.highest or line.verified, minor, patch
        yield f"| {' | '.join(map(str, cells))} | {', '.join(line.editions) or 'all'} |"
    yield ""
    yield (
        "A short number such as 4.14 stands for all of 4.14.x. Tags with another number name no "
        "known version: nothing is injected, and the state is Unknown. From verified up to the "
        "last possible version the switch of the last verified version is injected, and only the "
        "product's own report proves anything. "
        f"{_MAJOR_TAGS[known.major_tags]} [More](../evidence.md#versions)."
    )


_ARGUMENTS = {
    Arguments.PRODUCT: "arguments of the product",
    Arguments.FLAGS: "arguments of the product if the first one begins with a dash",
    Arguments.COMMAND: "a command in place of the product",
}


def _starts(images: Iterable[Image]) -> Iterator[str]:
    """How the images start the product, which decides whether variables prove anything."""
    known = [image for image in images if image.start is not None]
    if not known:
        return
    yield from ("", "## Start", "")
    yield "Any other `command`, and `args` that are a command, make the evidence `Unknown`:"
    yield "[what starts the product](../evidence.md#what-starts-the-product)."
    yield from ("", "| image | `args` are | commands that pass variables on |", "|---|---|---|")
    for image in known:
        assert image.start is not None
        commands = ", ".join(f"`{' '.join(one.words)}`" for one in image.start.commands)
        yield f"| `{image.pattern}` | {_ARGUMENTS[image.start.arguments]} | {commands or 'none'} |"


def _channel(channel: Channel) -> Iterator[str]:
    yield f"## {channel.name}"
    if channel.summary:
        yield from ("", channel.summary)
    if channel.hosts:
        yield from ("", "| host | port | versions | addresses |", "|---|---|---|---|")
        yield from (_host(host) for host in channel.hosts)
    for rule in channel.rules:
        yield from ("", *_rule(rule))


def _host(host: Host) -> str:
    published = [f"published by {host.published_ranges}"] if host.published_ranges else []
    addresses = ", ".join([*host.addresses, *published])
    marks = [
        *(["[browsers](../egress.md) connect to it"] if host.sent_by is Sender.BROWSER else []),
        *([f"also serves {host.also_serves}"] if host.also_serves else []),
    ]
    also = f" ({'; '.join(marks)})" if marks else ""
    versions = _where(host.versions, host.components)
    return f"| `{host.host}`{also} | {host.port} | {versions} | {addresses} |"


def _where(*kinds: Iterable[str]) -> str:
    return "; ".join(", ".join(kind) for kind in kinds if kind) or "every version"


def _rule(rule: ChannelRule) -> Iterator[str]:
    yield f"### {_where(rule.versions, rule.editions, rule.components)}"
    yield ""
    yield f"- Default: {_DEFAULTS[rule.default]}."
    for switch in rule.switches:
        yield from _switch(switch)
    for refused in rule.refuses:
        spellings = (
            ", in any spelling and as an argument of the JVM" if refused.config_property else ""
        )
        yield f"- Refused: `{refused.env}`{spellings}; {refused.effect}."
    if rule.leaves:
        yield (
            f"- Left although the switches turn off: {rule.leaves.rstrip('.')}. `Compliant` only "
            "while network policies are proven to deny the hosts "
            "([more](../evidence.md#what-a-switch-does-not-stop))."
        )
    if rule.grace_seconds:
        yield (
            f"- For {rule.grace_seconds} s after a pod's start it may ask for the hosts although "
            "the switches turn off ([more](../evidence.md#what-a-lookup-shows))."
        )
    if not rule.switches and rule.default is not DefaultState.NO_TELEMETRY:
        yield "- No switch is known to work: NotEnforceable."
    if rule.harmless_anywhere:
        yield "- Also set if the version cannot be read, because it is harmless to every version."
    if rule.remedy:
        yield f"- Remedy: {rule.remedy}"
    if rule.provenance is Provenance.DOCUMENTATION:
        yield "- These facts were read in the vendor's documentation alone (`Documentation`)."
    if rule.sources:
        yield f"- Sources: {', '.join(f'`{source}`' for source in rule.sources)}."


def _argument_switch(switch: Switch, argument: ArgumentSwitch) -> Iterator[str]:
    effect, proof = _SEMANTICS[switch.semantics]
    on = f", `{argument.enabled}` turns on" if argument.enabled is not None else ""
    programs = " or ".join(f"`{program}`" for program in argument.programs)
    after = f", behind the subcommand `{argument.after}`" if argument.after else ""
    yield (
        f"- Switch: the argument `{argument.label}` of {programs}{after}, {effect} "
        f"(`{switch.semantics}`). `{argument.disabled}` turns off{on}. Compliant when {proof}. "
        "Written only with `spec.injection.arguments: true` ([arguments](../arguments.md))."
    )
    if argument.image_arguments is None:
        yield (
            "- A container with neither command nor args gets no argument: those of the image are "
            "not known."
        )
    elif argument.image_arguments:
        words = " ".join(argument.image_arguments)
        yield (
            f"- A container with neither command nor args gets those of the image: `{words}`; on "
            "Windows it gets no argument."
        )
    overrides = [_override(override) for override in switch.overrides]
    if overrides:
        yield f"- Overridden by, strongest first: {', '.join(overrides)}."


def _resource_switch(switch: Switch, resource: ResourceSwitch) -> Iterator[str]:
    is_watched = switch.semantics is Semantics.RUNTIME
    effect = "watched while the product runs" if is_watched else "read at every start"
    on = f', `"{resource.enabled}"` turns on' if resource.enabled is not None else ""
    where = (
        "in the namespace of the workload"
        if resource.scope is FieldScope.WORKLOAD_NAMESPACE
        else "of the cluster"
    )
    yield (
        f"- Switch: the field `{resource.path}` of the custom resource "
        f"`{resource.plural}.{resource.group}/{resource.name}` (`{resource.version}`) {where}, "
        f'{effect} (`{switch.semantics}`). `"{resource.disabled}"` turns off{on}. Compliant when '
        "it has the setting and every pod runs a version that reads it "
        "([more](../custom-resources.md))."
    )
    if resource.absent is AbsentObject.UNKNOWN:
        yield "- If the object does not exist, the setting is Unknown."
    if resource.evidence_only:
        yield "- The field is only read for this channel."
    if switch.sufficient:
        yield (
            "- That switch alone turns off, whatever the others are "
            "([more](../evidence.md#a-switch-that-is-sufficient-alone))."
        )


def _switch(switch: Switch) -> Iterator[str]:
    effect, proof = _SEMANTICS[switch.semantics]
    if switch.argument is not None:
        yield from _argument_switch(switch, switch.argument)
        return
    if switch.suspend:
        yield (
            "- Switch: `spec.suspend` of the CronJob that runs the container alone "
            f"(`{switch.semantics}`). `true` turns off. Compliant when the CronJob is suspended "
            "and none of its Jobs runs. In every other kind of workload: no switch."
        )
        return
    if switch.resource is not None:
        yield from _resource_switch(switch, switch.resource)
        return
    if switch.env is None:
        yield f"- Switch: none in the workload, {effect}. Compliant when {proof}."
        return
    env = switch.env
    on = f', `"{env.enabled}"` turns on' if env.enabled is not None else ""
    yield (
        f'- Switch: `{env.name}`, {effect} (`{switch.semantics}`). `"{env.disabled}"` turns off'
        f"{on}. Compliant when {proof}."
    )
    if switch.sufficient:
        yield (
            "- It is sufficient alone: while it turns off, nothing is sent, whatever the product's "
            "own setting is."
        )
    yield from _env_marks(env)
    overrides = [_override(override) for override in switch.overrides]
    if overrides:
        yield f"- Overridden by, strongest first: {', '.join(overrides)}."
    if switch.ineffective:
        names = ", ".join(f"`{name}`" for name in switch.ineffective)
        yield f"- Mistaken for it, without effect: {names}."
    if switch.seed_proof is not None:
        yield f"- Path of an embedded database: `{switch.seed_proof.path}`."


def _env_marks(env: EnvSwitch) -> Iterator[str]:
    if env.config_property is not None:
        yield _property(env.config_property)
    if env.aliases:
        yield f"- Aliases: {', '.join(f'`{alias}`' for alias in env.aliases)}."
    if env.word is not None:
        weaker = ", ".join(f"`{name}`" for name in env.word.weaker)
        yield (
            "- The switch is one word of the command line that the variable holds. A user's "
            "variable with other words is kept, and then the switch is not set"
            + (f". Words in {weaker} count where it has none" if weaker else "")
            + " ([more](../evidence.md#a-switch-that-is-one-word-of-a-variable))."
        )
    if env.exclusive_with:
        names = ", ".join(f"`{name}`" for name in env.exclusive_with)
        yield (
            f"- Not set beside {names}, with which the product does not start, nor beside an "
            "`envFrom` ([more](../evidence.md#what-a-switch-must-not-stand-beside))."
        )
    if env.persists:
        yield (
            "- Each start writes the value into the product's own data, so its absence does not "
            "revert it ([more](../evidence.md#a-switch-that-the-product-stores))."
        )


def _property(found: ConfigProperty) -> str:
    carriers = ", ".join(f"`{name}`" for name in found.java_options)
    profiles = ", ".join(f"`{name}`" for name in found.profiles)
    return (
        f"- It is the property `{found.name}` of MicroProfile Config, and is "
        f"[read as such](../evidence.md#microprofile-config). Arguments of the JVM: {carriers}. "
        f"Active profiles: {profiles}."
    )


def _override(override: Override) -> str:
    if override.argument and override.env:
        words = [f"`{override.argument}{value}`" for value in override.values or ("",)]
        return f"{' or '.join(words)} in `{override.env}`"
    if override.mount:
        return f"a volume at `{override.mount}`"
    return f"`{override.argument or override.env}`"
