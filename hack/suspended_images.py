"""The images of the CronJobs that the operator may suspend, for the chart's admission policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.catalogue.product import Product


def suspended_images(products: Iterable[Product]) -> Iterator[str]:
    """The patterns of the images that have a channel with such a switch."""
    for product in products:
        for image in product.spec.images:
            if any(
                switch.suspend
                for channel in product.spec.channels
                for rule in product.rules[channel.name]
                if rule.concerns(image)
                for switch in rule.rule.switches
            ):
                yield image.pattern
