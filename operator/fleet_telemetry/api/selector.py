"""Label selectors, with the meaning that Kubernetes gives them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.schema import ApiType, Rule, described


class SelectorOperator(StrEnum):
    """How a label is compared with the values."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelRequirement(ApiType, frozen=True, kw_only=True):
    """One comparison of a label selector."""

    key: Annotated[str, described("The label's key.", min_length=1, max_length=317)]
    operator: Annotated[SelectorOperator, described("How the label is compared with the values.")]
    values: Annotated[
        tuple[Annotated[str, described("A label value.", max_length=63)], ...],
        described(
            "Required with In and NotIn, forbidden otherwise.", list_type="set", max_length=64
        ),
    ] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it; a label that is absent satisfies ``NotIn``."""
        match self.operator:
            case SelectorOperator.IN:
                return labels.get(self.key) in self.values
            case SelectorOperator.NOT_IN:
                return labels.get(self.key) not in self.values
            case SelectorOperator.EXISTS:
                return self.key in labels
            case SelectorOperator.DOES_NOT_EXIST:
                return self.key not in labels


VALUES_RULE = Rule(
    "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 "
    ": !has(self.values) || size(self.values) == 0",
    "In and NotIn need values; Exists and DoesNotExist take none",
)


class LabelSelector(ApiType, frozen=True, kw_only=True):
    """All of its parts have to match; an empty one matches everything."""

    match_labels: Annotated[
        dict[str, Annotated[str, described("A label value.", max_length=63)]],
        described("Labels that must have exactly these values.", max_length=64),
    ] = {}
    match_expressions: Annotated[
        tuple[Annotated[LabelRequirement, described("One comparison.", rules=(VALUES_RULE,))], ...],
        described("Comparisons that must all hold.", list_type="atomic", max_length=64),
    ] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has no part, so that it matches everything."""
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )
