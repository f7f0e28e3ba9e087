"""The list of products, docs/products/README.md."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.switches.summary import ChannelSummary, summaries, verified_versions

_HEADER = (
    "| product | name in policies | channel | default | mechanism | switches | verified up to "
    "| hosts |"
)


def index_page(products: Iterable[Product]) -> str:
    """A row for each channel of each product."""
    products = list(products)
    by_name = {product.name: product for product in products}
    lines = [
        "# Products",
        "",
        "The built-in catalogue. A [TelemetryProduct](../api.md#telemetryproduct) adds to it, or,",
        "with `overridesBuiltin: true`, replaces an entry",
        "([example](../../examples/policies/product.yaml)). Policies cover these products unless",
        "`products` says otherwise, and a TelemetryProduct only if they name it",
        "([details](../policies.md#products-of-your-own)).",
        "",
        "Each row is one channel, over all versions. The product's page has the rules by version,",
        "what else decides, and the sources. `fleet-telemetry catalogue list WORD` searches the",
        "same list by names, switches and hosts.",
        "",
        "- Default: what versions do if nothing is set.",
        "- Mechanism: how the channel is switched. *in the product itself*: the operator only",
        "  reports. *none*: no switch is known. An asterisk: something is still sent while the",
        "  switch disables.",
        "- Verified up to: the last version of each line for which the facts were verified.",
        "- (browser): sent by the browser of whoever opens the product, not by a pod.",
        "",
        _HEADER,
        "|---|---|---|---|---|---|---|---|",
        *(_row(one, by_name[one.product]) for one in summaries(products)),
    ]
    return "\n".join(lines) + "\n"


def _row(one: ChannelSummary, product: Product) -> str:
    cells = [
        f"[{one.title}]({one.product}.md)",
        f"`{one.product}`",
        one.channel,
        ", ".join(one.defaults),
        ", ".join(one.kinds) + ("*" if one.leaves else ""),
        ", ".join(f"`{name}`" for name in one.switches),
        ", ".join(verified_versions(product)),
        ", ".join(f"`{host}`" for host in one.hosts),
    ]
    return f"| {' | '.join(cells)} |"
