"""Plays the network plug-in: turns NetworkPolicies into rules of nftables.

Only as far as the tests need one: the egress of one pod, ``ipBlock``, ``except`` and ports. It has
nothing of the operator's in it, so that the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network

from tests.support.network_policies import Manifest, isolating


def rules(policies: Iterable[Manifest], labels: Mapping[str, str]) -> str:
    """The rules of a node for its only pod, behind the device ``to-pod``."""
    counting = isolating(policies, labels)
    chains: list[str] = []
    jumps: list[str] = []
    for policy in counting:
        for rule in policy["spec"].get("egress", []):
            for chain in _chains(rule):
                name = f"peer-{len(chains)}"
                chains.append(f"chain {name} {{\n{chain}}}\n")
                jumps.append(f"jump {name}\n")
    # Reset and not dropped: the pod knows at once, and it cannot be mistaken for a slow machine.
    last = "meta l4proto tcp reject with tcp reset\ndrop\n" if counting else "accept\n"
    return (
        "table inet cni {\n"
        + "".join(chains)
        + "chain forward {\ntype filter hook forward priority 0; policy accept;\n"
        + 'ct state established,related accept\niifname != "to-pod" accept\n'
        + "".join(jumps)
        + last
        + "}\n}\n"
    )


def _chains(rule: Manifest) -> Iterator[str]:
    """A chain for each peer that can be outside; it accepts, or comes back."""
    ports = list(_ports(rule))
    for peer in rule.get("to") or [None]:
        if peer is None:
            # No peers: every destination.
            yield "".join(f"{port} accept\n" for port in ports)
        elif "ipBlock" in peer:
            yield _returns(peer["ipBlock"]) + "".join(f"{port} accept\n" for port in ports)


def _returns(block: Manifest) -> str:
    cidr = ip_network(block["cidr"], strict=False)
    family, word = ("ipv4", "ip") if cidr.version == 4 else ("ipv6", "ip6")
    lines = [f"meta nfproto != {family} return\n"]
    if cidr.prefixlen:
        lines.append(f"{word} daddr != {cidr} return\n")
    for hole in block.get("except") or []:
        lines.append(f"{word} daddr {ip_network(hole, strict=False)} return\n")  # noqa: PERF401
    return "".join(lines)


def _ports(rule: Manifest) -> Iterator[str]:
    """What a packet has to be like; empty for any. A port by name is a pod's, and not outside."""
    if not rule.get("ports"):
        yield ""
    for port in rule.get("ports") or []:
        protocol = port.get("protocol", "TCP").lower()
        number = port.get("port")
        if number is None:
            yield f"meta l4proto {protocol}"
        elif isinstance(number, int):
            yield f"{protocol} dport {number}-{port.get('endPort', number)}"
