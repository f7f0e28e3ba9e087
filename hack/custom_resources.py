"""The custom resources that hold switches of built-in products, for the chart's permissions."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.catalogue.product import Product


def custom_resources(products: Iterable[Product]) -> dict[str, list[dict[str, object]]]:
    """By product, the fields with the names of their objects. ``write``: whether the operator may
    ever set the field, as for some channel it does."""
    found: dict[str, list[dict[str, object]]] = {}
    for product in products:
        fields: dict[tuple[str, str, str, str], bool] = {}
        for switch in product.all_switches:
            one = switch.resource
            if one is not None:
                key = one.group, one.plural, one.name, one.path
                fields[key] = fields.get(key, False) or not one.evidence_only
        if fields:
            found[product.name] = [
                {"group": group, "resource": plural, "names": [name], "path": path, "write": write}
                for (group, plural, name, path), write in sorted(fields.items())
            ]
    return found
