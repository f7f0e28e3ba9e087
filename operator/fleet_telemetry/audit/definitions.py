"""Policies, products and namespaces in documents: what workloads are judged by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
import yaml

from fleet_telemetry.api.policy import Policy, PolicyKind
from fleet_telemetry.api.resources import GROUP, TELEMETRY_PRODUCT
from fleet_telemetry.audit.decoding import LIMITS, Tree
from fleet_telemetry.audit.plain_yaml import Found
from fleet_telemetry.audit.result import Place
from fleet_telemetry.audit.sources import Definitions, PolicyKey, policy_key
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.product import Origin, Product
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.document import Path as Steps
from fleet_telemetry.linting.policy_file import read_policy_file
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.linting.product_file import read_product_file
from fleet_telemetry.objects.labels import namespace_labels
from fleet_telemetry.objects.manifest import Manifest, mapping_at, read_time, text_at
from fleet_telemetry.switches.policy_problems import find_problems
from fleet_telemetry.workloads.workload_type import read_labels

_PRODUCT = TELEMETRY_PRODUCT.kind
KINDS = frozenset({*PolicyKind, _PRODUCT, "Namespace"})
# A letter may be written as an escape, and a word go on in the next line.
ESCAPE = rb"|\\[xU]|\\u00[4-7]|\\\r?\n"
_WORDS = re.compile(rb"Telemetry(?:Policy|Product)|Namespace" + ESCAPE)


def may_define(text: bytes) -> bool:
    """Whether a document may have one of them."""
    return _WORDS.search(text) is not None


def is_definition(kind: str) -> bool:
    """Whether it is a kind of them."""
    return kind in KINDS


@dataclass
class Collector:
    """Collects definitions, and what is wrong with them."""

    default_namespace: str
    now: datetime
    labels: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Of namespaces."""
    problems: list[FileProblem] = field(default_factory=list)
    found: int = 0
    """Policies and products, right or wrong."""
    _policies: dict[PolicyKey, tuple[Document, Policy]] = field(default_factory=dict)
    _products: dict[str, tuple[Document, Product]] = field(default_factory=dict)

    def add(self, tree: Tree, one: Found) -> None:
        """Read one, if it is one of ours."""
        manifest = one.manifest or {}
        kind, api_version = text_at(manifest, "kind"), text_at(manifest, "apiVersion")
        if kind == "Namespace" and api_version == "v1":
            metadata = mapping_at(manifest, "metadata")
            name = text_at(metadata, "name")
            self.labels[name] = namespace_labels(name, read_labels(metadata))
        elif kind in KINDS and api_version.partition("/")[0] == GROUP:
            self.found += 1
            try:
                document = _document(tree, one)
                if kind == _PRODUCT:
                    self._add_product(document)
                else:
                    self._add_policy(document, manifest)
            except FileError as error:
                self.problems += error.problems

    def _add_product(self, document: Document) -> None:
        without_status = {key: part for key, part in document.data.items() if key != "status"}
        product = read_product_file(replace(document, data=without_status), built_in=False)
        # It is younger than all that the cluster has.
        product = replace(product, origin=Origin(self.now, self.now))
        if self._is_new(document, product.name, self._products.get(product.name)):
            self._products[product.name] = document, product

    def _add_policy(self, document: Document, manifest: Manifest) -> None:
        created = read_time(text_at(manifest, "metadata", "creationTimestamp")) or self.now
        policy = read_policy_file(document, self.default_namespace, created)
        key = policy_key(policy)
        if self._is_new(document, str(policy), self._policies.get(key)):
            self._policies[key] = document, policy

    def _is_new(self, document: Document, name: str, other: tuple[Document, object] | None) -> bool:
        if other is not None:
            first = f"{other[0].file}:{other[0].line()}"
            self.problems.append(
                document.problem((), f"{name} stands in {first}, too", "keep one of them")
            )
        return other is None

    def finish(self) -> Definitions:
        """What is valid, once everything is added."""
        products = tuple(
            (Place(file=document.file, line=document.line()), product)
            for document, product in self._products.values()
        )
        catalogue = combine(builtin(), (product for _, product in products)).catalogue
        policies = []
        files = {}
        for document, policy in self._policies.values():
            mistakes = [one for one in find_problems(policy.spec, catalogue) if one.is_mistake]
            self.problems += [
                document.problem(("spec",), f"{policy}: {one.message}", "correct it")
                for one in mistakes
            ]
            if not mistakes:
                policies.append(policy)
                files[policy_key(policy)] = Place(file=document.file, line=document.line())
        return Definitions(tuple(policies), products, files)


def _document(tree: Tree, one: Found) -> Document:
    """The object with the lines of everything in it. Raises FileError."""
    try:
        whole = tree.whole()
    except FileError:
        # One of several in JSON, or of a long List: it has one line.
        text = msgspec.json.encode(one.manifest)
        return Document.parse(tree.file, text, one.line, LIMITS)
    data, node = _at(whole.data, whole.root, one.steps)
    if data == one.manifest and node is not None:
        return replace(whole, data=data, root=node)
    return replace(whole, data=one.manifest, first_line=one.line - whole.line() + whole.first_line)


def _at(data: Any, node: yaml.Node | None, steps: Steps) -> tuple[Any, yaml.Node | None]:
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        data = data[step]
    return data, node


def objects_of(found: Iterable[Found | FileProblem]) -> Iterator[Found]:
    """The objects alone."""
    return (one for one in found if isinstance(one, Found) and one.manifest is not None)
