"""Sections of a policy that have no effect, or more effect than meant."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterCredential,
    Egress,
    EgressAction,
    Injection,
    Mode,
    Rollout,
    Runtime,
    RuntimeAction,
    SharedAddresses,
    Submission,
    When,
)
from fleet_telemetry.api.product.channel import Host, Sender
from fleet_telemetry.api.product.setting import DefaultState, Semantics
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.policy.advice.surroundings import Scene, listed

_WRITTEN = (Semantics.SEED, Semantics.START)


def advise_on_mode(scene: Scene) -> Iterator[str]:
    """Fields that write, in a policy that writes nothing."""
    spec = scene.policy.spec
    if spec.mode is not Mode.AUDIT:
        return
    fields = []
    if spec.injection is not None:
        fields += [f"spec.injection.{name}" for name in _fields_that_write(spec.injection)]
    if spec.runtime is not None and spec.runtime.action is RuntimeAction.REMEDIATE:
        fields.append("spec.runtime.action: Remediate")
    if spec.egress is not None:
        fields.append("spec.egress")
    if fields:
        yield f"mode: Audit writes nothing; without effect until Enforce: {', '.join(fields)}"


def _fields_that_write(injection: Injection) -> Iterator[str]:
    if injection.rollout is Rollout.IMMEDIATE:
        yield "rollout: Immediate"
    if injection.settings:
        yield "settings"
    if injection.arguments:
        yield "arguments"
    if injection.do_not_track:
        yield "doNotTrack"


def advise_on_products(scene: Scene) -> Iterator[str]:
    """Sections about products that the policy leaves out. Unknown products have a sentence
    elsewhere, and so have TelemetryProducts that are not named."""
    spec = scene.policy.spec
    if spec.products is None:
        return
    covered = {*spec.products, *spec.additional_products}
    sections: dict[str, list[str]] = {}
    if spec.injection is not None:
        sections["injection.settings"] = [one.product for one in spec.injection.settings]
    if spec.runtime is not None:
        sections["runtime.credentials"] = [one.product for one in spec.runtime.credentials]
        sections["runtime.endpoints"] = [one.product for one in spec.runtime.endpoints]
    if spec.egress is not None:
        sections["egress.hosts"] = [one.product for one in spec.egress.hosts]
    for section, names in sections.items():
        known = (scene.catalogue.products.get(name) for name in names if name not in covered)
        outside = [one.name for one in known if one is not None and one.has_builtin_name]
        if outside:
            yield (
                f"spec.{section} has no effect for products that are not in spec.products: "
                f"{listed(outside)}"
            )


def advise_on_channels(scene: Scene) -> Iterator[str]:
    """Channels that none of the named products has, or that nothing can be done about."""
    if not scene.named:
        return
    names = listed(product.name for product in scene.named)
    for name in scene.policy.spec.channels:
        channels = [one for product in scene.named for one in product.spec.channels]
        channels = [one for one in channels if one.name is name]
        rules = [rule for channel in channels for rule in channel.rules]
        if not channels:
            yield f"spec.channels: the catalogue knows no channel {name} of {names}"
        elif not any(channel.hosts for channel in channels) and not any(
            rule.switches or rule.default is DefaultState.NO_TELEMETRY for rule in rules
        ):
            yield (
                f"spec.channels: {name} of {names} has neither a switch nor a host that is known, "
                "so nothing can be set or denied"
            )


def advise_on_injection(scene: Scene) -> Iterator[str]:
    """Settings that are never added."""
    spec = scene.policy.spec
    injection = scene.policy.injection
    if injection.when is When.NEVER and spec.mode is Mode.ENFORCE:
        fields = list(_fields_that_write(injection))
        if fields:
            yield (
                "spec.injection.when: Never adds nothing; without effect but with Always or "
                f"FirstInstallOrUpgrade: {', '.join(fields)}"
            )
            return
    if injection.do_not_track and spec.submission is Submission.ENABLED:
        yield "spec.injection.doNotTrack has no effect with submission: Enabled"
    for product in scene.named or ():
        yield from _on_switches(scene, product, injection)


def _on_switches(scene: Scene, product: Product, injection: Injection) -> Iterator[str]:
    spec = scene.policy.spec
    if not scene.covers(product) or spec.mode is Mode.AUDIT or injection.when is When.NEVER:
        return
    switches: list[Switch] = list(product.switches(*spec.channels))
    fields = [switch for switch in switches if switch.resource is not None]
    written = [
        switch for switch in switches if switch.semantics in _WRITTEN and switch not in fields
    ]
    if written and not injection.arguments and all(one.argument is not None for one in written):
        yield (
            f"nothing is set for {product.name}: its switch is an argument, and "
            "spec.injection.arguments is false"
        )
    elif not written and any(one.semantics is Semantics.RUNTIME for one in switches):
        runtime = spec.runtime
        is_off = runtime is None or runtime.action is not RuntimeAction.REMEDIATE
        if is_off and fields:
            yield (
                f"nothing is set for {product.name}: its switch is a field of a custom resource, "
                "which needs spec.runtime.action: Remediate and the chart's customResources.write"
            )
        elif is_off:
            yield (
                f"nothing is set for {product.name}: its switch is in its own API, which needs "
                "spec.runtime.action: Remediate and credentials"
            )


def advise_on_runtime(scene: Scene) -> Iterator[str]:
    """Checks that are never made."""
    spec, runtime = scene.policy.spec, scene.policy.spec.runtime
    if runtime is None:
        return
    if runtime.action is RuntimeAction.OFF:
        if runtime.credentials or runtime.endpoints:
            yield (
                "spec.runtime.action: Off makes no request, so credentials and endpoints have no "
                "effect"
            )
        return
    if runtime.action is RuntimeAction.REMEDIATE and _names_fields(scene):
        # It sets custom resources, which needs no credentials and concerns every channel.
        yield from _on_credentials(scene, runtime)
        return
    if ChannelName.USAGE not in spec.channels:
        yield (
            "spec.runtime has no effect: the APIs of products report the channel Usage, which "
            "spec.channels leaves out"
        )
        return
    if not runtime.credentials:
        yield "spec.runtime has no credentials, so no product is asked what it has set"
    yield from _on_endpoints(runtime)
    yield from _on_credentials(scene, runtime)


def _names_fields(scene: Scene) -> bool:
    """Whether a product that the policy names has a switch in a custom resource."""
    channels = scene.policy.spec.channels
    switches = (one for product in scene.named or () for one in product.switches(*channels))
    return any(switch.resource is not None for switch in switches)


def _on_endpoints(runtime: Runtime) -> Iterator[str]:
    asked = {credential.product for credential in runtime.credentials}
    unasked = [one.product for one in runtime.endpoints if one.product not in asked]
    if unasked and asked:
        yield (
            "spec.runtime.endpoints: not asked, because spec.runtime.credentials has none for "
            f"them: {listed(unasked)}"
        )


def _on_credentials(scene: Scene, runtime: Runtime) -> Iterator[str]:
    products = scene.catalogue.products
    known = [products.get(one.product) for one in runtime.credentials]
    silent = [one.name for one in known if one is not None and one.spec.api is None]
    if silent:
        yield (
            "spec.runtime.credentials: not used, because the operator supports no API of them: "
            f"{listed(silent)}"
        )
    for credential in runtime.credentials:
        if isinstance(credential, ClusterCredential):
            yield from _on_scope(scene, credential)


def _on_scope(scene: Scene, credential: ClusterCredential) -> Iterator[str]:
    """Where a credential of a cluster policy comes from, and where it goes."""
    namespaces, where = scene.around.namespaces, f"the credential for {credential.product}"
    source = credential.secret_ref.namespace
    if source is not None and source not in namespaces:
        yield f"spec.runtime.credentials: {where} is of namespace {source}, which is not there"
    selector = credential.namespace_selector
    targets = set(credential.namespaces)
    if selector is not None:
        targets = {name for name, labels in namespaces.items() if selector.matches(labels)}
        if not targets:
            yield f"spec.runtime.credentials: the selector of {where} selects no namespace now"
            return
    absent = [name for name in credential.namespaces if name not in namespaces]
    if absent:
        yield f"spec.runtime.credentials: {where} is for {listed(absent)}, which is not there"
    elif targets and not targets & set(scene.namespaces):
        yield (
            f"spec.runtime.credentials: {where} is for namespaces that spec.namespaceSelector "
            "leaves out"
        )


def advise_on_egress(scene: Scene) -> Iterator[str]:
    """Network policies that contain nothing, or more than meant."""
    egress = scene.policy.spec.egress
    if egress is None:
        return
    if egress.action is EgressAction.ISOLATE:
        yield from _on_isolation(scene, egress)
    if egress.action is not EgressAction.DENY:
        if egress.shared_addresses is SharedAddresses.ACCEPT:
            yield "spec.egress.sharedAddresses has an effect with action: Deny only"
        return
    hosts = [(product, host) for product in scene.named or () for host in _hosts(scene, product)]
    if scene.named and not egress.hosts and not hosts:
        yield (
            f"spec.egress denies nothing: no host that pods of {_named(scene)} connect to is "
            "known; name hosts in spec.egress.hosts"
        )
    shared = [host.host for _, host in hosts if host.also_serves]
    if shared and egress.shared_addresses is SharedAddresses.REFUSE:
        yield (
            "spec.egress denies hosts that also serve something else only with sharedAddresses: "
            f"Accept: {listed(shared)}"
        )


def _named(scene: Scene) -> str:
    return listed(product.name for product in scene.named or ())


def _hosts(scene: Scene, product: Product) -> Iterator[Host]:
    """The hosts that the product's pods connect to for a channel of the policy."""
    for channel in product.spec.channels:
        if channel.name in scene.policy.spec.channels:
            yield from (host for host in channel.hosts if host.sent_by is Sender.POD)


def _on_isolation(scene: Scene, egress: Egress) -> Iterator[str]:
    if not egress.reachable:
        yield (
            "spec.egress.action: Isolate without reachable leaves the pods DNS and telemetry "
            "hosts at most: not even their database"
        )
    # Who may write a policy of a namespace need not know the labels of others.
    for place, peer in enumerate(egress.reachable if not scene.policy.namespace else ()):
        selector = peer.namespace_selector
        if selector is not None and not any(
            map(selector.matches, scene.around.namespaces.values())
        ):
            yield (
                f"spec.egress.reachable[{place}]: namespaceSelector selects no namespace now, so "
                "it permits nothing"
            )
