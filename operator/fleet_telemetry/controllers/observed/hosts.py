"""The hosts whose lookups are kept: of the catalogue, of TelemetryProducts and of policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.egress.host_quota import QUOTA, HostQuota, grant_hosts, wanted_hosts
from fleet_telemetry.observed.ledger import HostClass, Hosts, ProductUse


def hosts_of_interest(
    catalogue: Catalogue, policies: Iterable[Policy], quota: HostQuota = QUOTA
) -> Hosts:
    """Every host with the products that use it. A host that serves something else for one channel
    of a product counts as shared for the product.

    Of the hosts that TelemetryPolicies name, those within the quota count. Their authors may name
    anything, so they count as shared, and never stand before those of the catalogue.
    """
    found: dict[str, dict[str, HostClass]] = {}
    for product in catalogue.products.values():
        for channel in product.spec.channels:
            for host in channel.hosts:
                shared = HostClass.SHARED if host.also_serves else HostClass.EXCLUSIVE
                _add(found, host.host, product.name, shared)
    tenants: dict[str, list[Policy]] = {}
    for policy in policies:
        if policy.namespace:
            tenants.setdefault(policy.namespace, []).append(policy)
            continue
        for named in policy.spec.egress.hosts if policy.spec.egress else ():
            _add(found, named.host, named.product, HostClass.EXCLUSIVE)
    for name, product_name in _of_tenants(tenants, quota):
        _add(found, name, product_name, HostClass.SHARED, weak=True)
    return {
        host: tuple(ProductUse(product, host_class) for product, host_class in sorted(uses.items()))
        for host, uses in found.items()
    }


def _of_tenants(tenants: Mapping[str, list[Policy]], quota: HostQuota) -> Iterable[tuple[str, str]]:
    """Host and product of what TelemetryPolicies name and are granted."""
    wanted = {namespace: wanted_hosts(own, quota) for namespace, own in tenants.items()}
    granted = grant_hosts(wanted, quota)
    for namespace, own in tenants.items():
        for policy in own:
            for named in policy.spec.egress.hosts if policy.spec.egress else ():
                if named.host in granted[namespace]:
                    yield named.host, named.product


def _add(
    found: dict[str, dict[str, HostClass]],
    host: str,
    product: str,
    host_class: HostClass,
    *,
    weak: bool = False,
) -> None:
    """Add a use. A shared one takes precedence, unless it is ``weak``."""
    uses = found.setdefault(host.lower(), {})
    if product not in uses or (host_class is HostClass.SHARED and not weak):
        uses[product] = host_class
