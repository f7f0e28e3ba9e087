"""What an account may do, and what it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one kind; an empty namespace or name stands for any."""

    group: str
    resource: str
    """Its plural, with the subresource if any."""
    verb: str
    namespace: str = ""
    name: str = ""

    def covers(self, use: Right) -> bool:
        """Whether this right was what such a request needed."""
        return (self.group, self.resource, self.verb) == (use.group, use.resource, use.verb) and (
            self.namespace in ("", use.namespace) and self.name in ("", use.name)
        )

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {kind}{where}{f' {self.name}' if self.name else ''}"


def granted(
    account: Mapping[str, str], roles: Iterable[Manifest], bindings: Iterable[Manifest]
) -> set[Right]:
    """The rights of a service account, by its bindings; a right for each verb, kind and name."""
    known = {
        (role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]): role
        for role in roles
    }
    found: set[Right] = set()
    for binding in bindings:
        subjects = [{key: s.get(key) for key in account} for s in binding.get("subjects", [])]
        if dict(account) not in subjects:
            continue
        ref, namespace = binding["roleRef"], binding["metadata"].get("namespace", "")
        owner = namespace if ref["kind"] == "Role" else ""
        role = known[ref["kind"], owner, ref["name"]]
        for rule in role["rules"]:
            found |= set(_rights(rule, namespace))
    return found


def _rights(rule: Manifest, namespace: str) -> Iterator[Right]:
    for group in rule.get("apiGroups", []):
        for resource in rule.get("resources", []):
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames", [""]):
                    yield Right(group, resource, verb, namespace, name)


def used(events: Iterable[Manifest], user: str) -> dict[Right, int]:
    """What a user asked for, with the last answer's code, as the audit log has it."""
    found: dict[Right, int] = {}
    for event in events:
        ref = event.get("objectRef")
        if event["user"]["username"] != user or not ref or "resource" not in ref:
            continue
        resource = "/".join(filter(None, (ref["resource"], ref.get("subresource", ""))))
        namespace, name = ref.get("namespace", ""), ref.get("name", "")
        right = Right(ref.get("apiGroup", ""), resource, event["verb"], namespace, name)
        found[right] = event.get("responseStatus", {}).get("code", 0)
    return found
