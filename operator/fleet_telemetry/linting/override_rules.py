"""What overrides of a switch say of each other, and of the order in which a JVM reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet_telemetry.api.product.switch import Override, Switch
from fleet_telemetry.linting.document import Path
from fleet_telemetry.linting.finding import LintFinding
from fleet_telemetry.switches.jvm import STRONGEST_FIRST


def check_overrides(switch: Switch, path: Path, where: str) -> Iterator[LintFinding]:
    """The faults of one switch's overrides."""
    for at, override in enumerate(switch.overrides):
        yield from _check_repeated(override, switch.overrides[:at], (*path, at), where)
        yield from _check_value(override, (*path, at), where)
    yield from _check_order_of_jvm(switch, path, where)


def _check_repeated(
    override: Override, before: Sequence[Override], path: Path, where: str
) -> Iterator[LintFinding]:
    for earlier in before:
        same = (earlier.argument, earlier.env, earlier.mount) == (
            override.argument,
            override.env,
            override.mount,
        )
        if same and (not earlier.values or earlier.values == override.values):
            name = override.argument or override.env or override.mount
            what = f"{where}: the override {name} is never used, because one before it is the same"
            yield LintFinding(path, what, "remove it, or put it first")


def _check_value(override: Override, path: Path, where: str) -> Iterator[LintFinding]:
    """With a value in the argument, another value behind it would not be seen."""
    name, equals, value = (override.argument or "").partition("=")
    if equals and value:
        what = f"{where}: the override {override.argument} holds a value: no other one is seen"
        yield LintFinding(path, what, f"write {name}=, and the value in values")


def _check_order_of_jvm(switch: Switch, path: Path, where: str) -> Iterator[LintFinding]:
    """Every JVM reads three variables, so a property that is set in one is set in all of them."""
    is_word = switch.env is not None and switch.env.word is not None
    of_property: dict[str, list[str]] = {}
    for override in switch.overrides:
        if override.argument and override.env in STRONGEST_FIRST:
            of_property.setdefault(override.argument, []).append(override.env)
    for argument, found in of_property.items():
        names = list(dict.fromkeys(found))
        missing = [name for name in STRONGEST_FIRST if name not in names]
        if missing and not is_word:  # a word names the weaker variables itself
            what = (
                f"{where}: {argument} in {missing[0]} is no override, and in {names[0]} it is one"
            )
            yield LintFinding(path, what, "add it: every JVM reads both variables")
        elif names != [name for name in STRONGEST_FIRST if name in names]:
            what = f"{where}: {argument} in {names[0]} comes first, which is not the strongest one"
            yield LintFinding(path, what, f"write {', '.join(STRONGEST_FIRST)} in this order")
