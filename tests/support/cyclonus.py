"""Asks Cyclonus (github.com/mattfenwick/cyclonus), which others wrote, what NetworkPolicies do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.network_policies import Manifest, as_stored

Question = tuple[Any, int, str]
"""An address outside of the cluster, a port and a protocol."""


@dataclass(frozen=True)
class Case:
    """The policies of a namespace, a pod in it, and where it would like to go."""

    policies: Sequence[Manifest]
    labels: Mapping[str, str]
    questions: Sequence[Question]


@dataclass(frozen=True)
class Answer:
    """What Cyclonus says to one question."""

    reached: bool
    isolated: bool
    by: tuple[str, ...]
    """The names of the policies that let it through, sorted."""


def ask(program: Path, folder: Path, cases: Sequence[Case]) -> list[list[Answer]]:
    """The answers to each case's questions, of one process: each case is a namespace of its own."""
    policies, traffic = folder / "policies.json", folder / "traffic.json"
    policies.write_text(
        json.dumps(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicyList",
                "items": [
                    _marked(policy, f"case-{number}")
                    for number, case in enumerate(cases)
                    for policy in case.policies
                ],
            }
        )
    )
    traffic.write_text(
        json.dumps(
            [
                _traffic(case, f"case-{number}", *question)
                for number, case in enumerate(cases)
                for question in case.questions
            ]
        )
    )
    # Without its own simplifying: one thing less that the two could differ by.
    how = ("--mode=query-traffic", "--simplify-policies=false")
    said = subprocess.run(
        [program, "analyze", *how, "--policy-path", policies, "--traffic-path", traffic],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert said.returncode == 0, said.stderr
    answers = iter([_read(part) for part in said.stdout.split("Is traffic allowed?\n")[1:]])
    found = [[next(answers) for _ in case.questions] for case in cases]
    assert next(answers, None) is None
    return found


_MARK = "name-of-the-policy/"


def _marked(policy: Manifest, namespace: str) -> Manifest:
    """As it would be stored; with its name in the selector, since Cyclonus tells only these.

    It merges policies of the same selector; this way there are none.
    """
    stored = as_stored(policy)
    name = stored["metadata"]["name"]
    selector = dict(stored["spec"].get("podSelector") or {})
    mark = {"key": f"{_MARK}{name}", "operator": "DoesNotExist"}
    selector["matchExpressions"] = [*selector.get("matchExpressions", []), mark]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**stored["spec"], "podSelector": selector},
    }


def _traffic(case: Case, namespace: str, address: Any, port: int, protocol: str) -> Manifest:
    pod = {"Namespace": namespace, "NamespaceLabels": {}, "PodLabels": dict(case.labels)}
    return {
        "Source": {"Internal": pod, "IP": "10.0.0.1"},
        "Destination": {"IP": str(address)},
        "ResolvedPort": port,
        "ResolvedPortName": "",
        "Protocol": protocol,
    }


def _read(table: str) -> Answer:
    """Read the table: rows of type, action and target, where a cell that repeats is left blank."""
    action, by, isolated, reached = "", [], False, None
    for line in table.splitlines():
        if not line.startswith("|"):
            # The next question's table is none of this answer's.
            if reached is not None:
                break
            continue
        kind, acts, target = (cell.strip() for cell in line.split("|")[1:4])
        if kind == "IS ALLOWED?":
            reached = acts == "TRUE"
            continue
        action = acts or action
        isolated = isolated or kind == "Egress"
        if target.startswith(_MARK) and action == "Allow":
            by.append(target.removeprefix(_MARK).split()[0])
    assert reached is not None, table
    return Answer(reached, isolated, tuple(sorted(by)))
