"""Values of users that are not replaced, because they may hold more than the switch.

``JAVA_OPTS=-Xmx4g`` is one. A variable is replaced whole, so what else it holds would be lost.
"""

from __future__ import annotations

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.switches.reading import is_expanded

_JOINTS = frozenset(" \t\r\n=;,|&\"'<>")
"""What stands between or around several settings in one value."""


def may_replace(product: Product, switch: Switch, value: str) -> bool:
    """Whether a policy may replace a user's literal value of the switch.

    Where the product's reading lists the value, or it is empty, nothing is lost. A single word that
    is not listed, such as ``maybe``, is replaced if the product is built in: its switches are
    reviewed, and their variables hold nothing else. Of a TelemetryProduct it is replaced only if
    the reading says what it means. Anything that looks like several settings is never replaced.
    """
    env = switch.env
    if switch.suspend:  # whoever suspends a CronJob may have another reason for it
        return False
    if switch.argument is not None:
        meaning = switch.argument.setting_of(value)
        return product.origin is None or meaning is not Setting.UNKNOWN
    if env is None or not value.strip() or env.listed(value) is not None:
        return True
    if product.origin is None and env.config_property is not None:
        return True  # a property is one value, such as the schedule 0 3 * * *
    if value.lstrip().startswith(("-", "{", "[")) or not _JOINTS.isdisjoint(value.strip()):
        return False
    if product.origin is None:
        return True
    return not is_expanded(value) and env.setting_of(value) is not Setting.UNKNOWN
