"""Which fields of which custom resources may be switches.

A TelemetryProduct must not make the operator read or write what is not the vendor's own. What it
may in fact read and write is a matter of RBAC; this refuses at once what nobody should grant.
"""

from __future__ import annotations

import re

from fleet_telemetry.api.schema import Rule

_COMMON = ("k8s.io", "kubernetes.io", "openshift.io", "fleettelemetry.io")
"""Groups that end so belong to the cluster or to this operator. Groups of Kubernetes without a dot,
such as apps, do not match the pattern of a group."""
_COMMON_TEXT = "|".join(one.replace(".", "[.]") for one in _COMMON)
_COMMON_GROUP = re.compile(f"(^|[.-])({_COMMON_TEXT})$")
_NOT_SET_BY_USERS = ("apiVersion", "kind", "metadata", "status")
MOST_NAMES = 8
"""In a path."""
GROUP_ADVICE = "the group is the vendor's own: not one of Kubernetes, OpenShift or this operator"
PATH_ADVICE = (
    f"the path is that of a field that users set, at most {MOST_NAMES} names long: not in "
    "apiVersion, kind, metadata or status"
)
GROUP_RULE = Rule(f"!self.matches('(^|[.-])({_COMMON_TEXT})$')", GROUP_ADVICE)
PATH_RULE = Rule(
    f"!(self.split('.')[0] in {list(_NOT_SET_BY_USERS)}) && size(self.split('.')) <= {MOST_NAMES}",
    PATH_ADVICE,
)


def is_refused_group(group: str) -> bool:
    """Whether no product may have a switch in resources of the group."""
    return "." not in group or _COMMON_GROUP.search(group) is not None


def is_refused_path(path: str) -> bool:
    """Whether no product may have a switch in the field, written with dots."""
    names = path.split(".")
    return names[0] in _NOT_SET_BY_USERS or len(names) > MOST_NAMES
