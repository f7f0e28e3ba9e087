"""What is written into the arguments of a container, and taken out again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.product.argument_switch import ArgumentSwitch
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import InjectedKind, InjectedVariable, State
from fleet_telemetry.controllers.revert import edits_for
from fleet_telemetry.decision import decide
from fleet_telemetry.reporting.changes import warning_for
from fleet_telemetry.switches.argument_lists import arguments_of
from fleet_telemetry.switches.edits import EditCause, Trigger
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.patch import build_patch
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from tests.support.argument_products import (
    ABSL,
    ALLOWED,
    GO,
    IMAGE,
    NEXT,
    RUN,
    acme,
    args_of,
    cluster,
    opt,
    owned,
    switch,
    with_args,
    with_product,
)
from tests.support.builders import (
    Cluster,
    Manifest,
    Written,
    container,
    containers_of,
    manifest,
    own_product,
    pod_of,
    policy,
    product,
    touched,
    under,
    with_image,
    workload,
)
from tests.support.builders import catalogue as catalogue_with
from tests.support.depth import examples
from tests.support.json_patch import apply_patch

OFF, ON = "-telemetry=false", "-telemetry=true"
OURS = [OFF, "-config.file=/etc/acme.yaml"]
"""The image's own arguments, and ours."""


def causes(written: Written) -> dict[str, EditCause]:
    return {change.name: change.cause for change in written.plan.changes}


def verdict(of: Cluster, given: Manifest, **more: Any) -> tuple[State | None, Reason | None]:
    """Of a workload with a pod that runs what the template says."""
    plan = decide(of.input(given, Trigger.RECONCILE, pods=(pod_of(given),), **more))
    (one,) = plan.verdicts
    return one.state, one.reason


# Where the word goes


@pytest.mark.parametrize(
    ("of", "args", "after"),
    [
        (GO, ["-a=1"], [OFF, "-a=1"]),
        (GO, ["-a", "/etc/x"], [OFF, "-a", "/etc/x"]),
        (GO, ["--", "word"], [OFF, "--", "word"]),
        (GO, ["acme", "-a=1"], ["acme", OFF, "-a=1"]),
        (GO, None, OURS),
        (GO, [], OURS),
        (NEXT, None, ["--telemetry=off"]),
        (RUN, ["run"], ["run", "--disable-telemetry"]),
        (RUN, ["run", "/etc/acme"], ["run", "--disable-telemetry", "/etc/acme"]),
        # The user's own words are replaced where they stand.
        (GO, ["-a=1", ON, "-b=2"], ["-a=1", OFF, "-b=2"]),
        (GO, ["-a=1", "--telemetry", "-b=2"], ["-a=1", OFF, "-b=2"]),
        (GO, [ON, "-a=1", ON], [OFF, "-a=1", OFF]),
        (GO, ["-telemetry=maybe"], [OFF]),
        (RUN, ["run", "--disable-telemetry=false"], ["run", "--disable-telemetry"]),
        (NEXT, ["--telemetry", "on", "--x"], ["--telemetry=off", "--x"]),
        (ABSL, ["--x=1", "--telemetry"], ["--x=1", "--telemetry=false"]),
        # Where the product may not read them, one is added that it reads.
        (GO, ["-a", ON], [OFF, "-a", OFF]),
        (GO, ["-a", OFF], [OFF, "-a", OFF]),
    ],
)
def test_where_the_word_goes(of: dict[str, Any], args: list[str] | None, after: list[str]) -> None:
    written = cluster(of).create(acme(args), claims=False)

    assert args_of(written.manifest) == after
    assert not cluster(of).reconcile(written.manifest).plan.edits


@pytest.mark.parametrize(
    ("of", "args"),
    [
        (GO, [OFF]),
        (GO, ["-a=1", "--telemetry=0"]),
        (RUN, ["run", "/etc/acme", "--disable-telemetry"]),
        (ABSL, ["--notelemetry"]),
        (NEXT, ["--telemetry", "off"]),
    ],
)
def test_what_is_as_desired_stays_as_it_is(of: dict[str, Any], args: list[str]) -> None:
    written = cluster(of).create(acme(args), claims=False)

    assert (args_of(written.manifest), written.plan.changes) == (args, ())


@pytest.mark.parametrize(
    ("of", "words", "reason"),
    [
        (GO, {"command": ["/bin/sh", "-c"], "args": ["exec acme -a=1"]}, Reason.COMMAND_IS_SHELL),
        (GO, {"command": ["/bin/sh", "-ec", "acme\n"]}, Reason.COMMAND_IS_SHELL),
        (GO, {"args": ["bash", "-c", "acme"]}, Reason.COMMAND_IS_SHELL),
        (GO, {"args": ["-a=1; rm"]}, Reason.COMMAND_IS_SHELL),
        (GO, {"command": ["other"], "args": ["-a=1"]}, Reason.PROGRAM_UNKNOWN),
        (GO, {"args": ["other", "-a=1"]}, Reason.PROGRAM_UNKNOWN),
        (RUN, {"args": ["fmt"]}, Reason.PROGRAM_UNKNOWN),
        (RUN, {"args": ["--log", "run"]}, Reason.PROGRAM_UNKNOWN),
        (RUN, {}, Reason.IMAGE_ARGUMENTS_UNKNOWN),
        (GO, {"args": ["-a=1", "$(MORE)"]}, Reason.SWITCH_OVERRIDDEN),
        # In front of args the word would not be the product's first one.
        (GO, {"command": ["acme", "word"], "args": ["-a=1"]}, Reason.SWITCH_OVERRIDDEN),
        (GO, {"command": ["acme", "-a", "word"]}, Reason.ARGUMENTS_AMBIGUOUS),
        # Nothing is written into a command.
        (GO, {"command": ["acme", ON]}, Reason.ARGUMENTS_AMBIGUOUS),
    ],
)
def test_nothing_is_written_that_cannot_work(
    of: dict[str, Any], words: dict[str, Any], reason: Reason
) -> None:
    given = acme(**words)
    written = cluster(of).create(given, claims=False)

    assert written.manifest == given
    assert set(causes(written).values()) <= {EditCause.NOT_WRITABLE}
    state, why = verdict(cluster(of), given)
    assert state in (State.UNKNOWN, State.NON_COMPLIANT)
    assert why in (reason, Reason.SWITCH_OVERRIDDEN)


@pytest.mark.parametrize("image", ["acme/acme:latest", "acme/acme:1.9.9", "acme/acme:2.0.0"])
def test_the_arguments_of_an_image_are_only_those_of_known_versions(image: str) -> None:
    """Args would replace those that an unknown version has."""
    written = cluster({**GO, "imageArguments": []}).create(acme(image=image), claims=False)
    assert args_of(written.manifest) == (["-telemetry=false"] if "1.9.9" in image else None)

    with_list = cluster(GO).create(acme(["-a=1"], image=image), claims=False)
    assert args_of(with_list.manifest) == [OFF, "-a=1"]


def test_a_command_without_args_keeps_its_words() -> None:
    written = cluster(GO).create(acme(command=["/usr/bin/acme", "-a=1"]), claims=False)

    assert args_of(written.manifest) == [OFF]
    assert containers_of(written.manifest)[0]["command"] == ["/usr/bin/acme", "-a=1"]


# What a policy asks for


def test_arguments_are_written_only_if_the_policy_says_so() -> None:
    of = cluster(GO, arguments=False)
    given = acme(["-a=1"])

    assert of.create(given, claims=False).plan.changes == ()
    assert verdict(of, given) == (State.NON_COMPLIANT, Reason.ARGUMENTS_OFF)
    assert verdict(of, acme([OFF])) == (State.COMPLIANT, Reason.RUNNING_IN_EVERY_POD)


def test_the_default_of_a_policy_is_off() -> None:
    assert not policy(submission="Disabled").injection.arguments


@pytest.mark.parametrize("args", [["-a=1"], None, [ON]])
def test_what_is_written_is_compliant(args: list[str] | None) -> None:
    written = cluster(GO).create(acme(args), claims=False)

    assert verdict(cluster(GO), written.manifest) == (
        State.COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
    )


def test_a_pod_that_runs_without_it_is_pending() -> None:
    given = acme(["-a=1"])
    written = cluster(GO).create(given, claims=False).manifest
    plan = decide(cluster(GO).input(written, Trigger.RECONCILE, pods=(pod_of(given),)))

    (one,) = plan.verdicts
    assert (one.state, one.reason) == (State.PENDING, Reason.PODS_OUTDATED)


def test_the_users_word_is_kept_if_the_policy_says_so() -> None:
    of = cluster(GO, onConflict="Keep")
    written = of.create(acme([ON]), claims=False)

    assert (args_of(written.manifest), causes(written)) == ([ON], {"-telemetry": EditCause.KEPT})
    assert verdict(of, acme([ON])) == (State.NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT)


def test_opting_in_writes_the_other_word() -> None:
    written = cluster(GO, submission="Enabled").create(acme([OFF, "-a=1"]), claims=False)
    assert args_of(written.manifest) == [ON, "-a=1"]


def test_opting_in_by_absence() -> None:
    of = cluster(RUN, submission="Enabled")
    written = of.create(acme(["run", "--disable-telemetry", "-a"]), claims=False)

    assert args_of(written.manifest) == ["run", "-a"]
    assert not of.reconcile(written.manifest).plan.edits


def test_a_policy_in_audit_mode_changes_nothing() -> None:
    audit = policy(
        additionalProducts=["acme"], mode="Audit", submission="Disabled", injection=ALLOWED
    )
    of = under(audit, catalogue=with_product(GO))

    assert of.create(acme(["-a=1"]), claims=False).plan.changes == ()
    assert verdict(of, acme(["-a=1"])) == (State.NON_COMPLIANT, Reason.AUDIT_ONLY)


# What comes again, and what goes


def test_a_manifest_that_is_applied_again_gets_the_word_again() -> None:
    """The list of arguments comes back as its author wrote it; nothing rolls."""
    given = acme(["-a=1"])
    old = cluster(GO).create(given, claims=False).manifest
    written = cluster(GO).update(old, given)

    assert args_of(written.manifest) == args_of(old)
    assert causes(written) == {"-telemetry": EditCause.RESTORED}


def test_a_manifest_that_is_applied_again_loses_the_word_again() -> None:
    """Where only the absence of the flag enables."""
    of = cluster(RUN, submission="Enabled")
    given_ = acme(["run", "--disable-telemetry"])
    old = of.create(given_, claims=False).manifest

    assert args_of(old) == ["run"]
    assert args_of(of.update(old, given_).manifest) == ["run"]


def test_a_policy_that_goes_takes_a_recorded_word_with_it() -> None:
    old = cluster(GO).create(acme(["-a=1"]), claims=False)
    record = recorded(old)
    without = Cluster(catalogue=with_product(GO), recorded=record)

    assert args_of(without.reconcile(old.manifest).manifest) == [OFF, "-a=1"]
    written = without.update(old.manifest, touched(old.manifest))
    assert (args_of(written.manifest), causes(written)) == (
        ["-a=1"],
        {"-telemetry": EditCause.REVERTED},
    )


def recorded(written: Written) -> tuple[InjectedVariable, ...]:
    """What the controller records of what it wrote itself."""
    return tuple(arguments_of(written.plan.edits))


def test_a_word_that_is_not_recorded_is_the_users() -> None:
    """Its list has an owner, and nobody can say who wrote the word."""
    old = cluster(GO).create(acme(["-a=1"]), claims=False)
    without = Cluster(catalogue=with_product(GO))
    written = without.update(old.manifest, touched(old.manifest))

    assert (args_of(written.manifest), written.plan.changes) == ([OFF, "-a=1"], ())
    assert written.plan.injected == ()


def test_a_policy_that_allows_no_arguments_any_more_takes_them_back() -> None:
    old = cluster(GO).create(acme(["-a=1"]), claims=False)
    of = replace(cluster(GO, arguments=False), recorded=recorded(old))

    assert args_of(of.update(old.manifest, touched(old.manifest)).manifest) == ["-a=1"]


def applied(given: Manifest) -> Manifest:
    """As kubectl apply leaves it."""
    body = {"metadata": {"name": "it"}, "spec": given["spec"]}
    found = owned(given, "kubectl-client-side-apply")
    note = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(body)}
    return {**found, "metadata": {**found["metadata"], "annotations": note}}


def test_what_the_applied_manifest_does_not_have_is_ours() -> None:
    old = cluster(GO).create(applied(acme(["-a=1"])), claims=False)
    without = Cluster(catalogue=with_product(GO))
    written = without.update(old.manifest, touched(old.manifest))

    assert args_of(written.manifest) == ["-a=1"]
    (one,) = cluster(GO).reconcile(old.manifest).plan.injected
    assert (one.name, one.value, one.kind) == ("-telemetry", OFF, InjectedKind.ARGUMENT)


def test_what_the_applied_manifest_has_is_the_users() -> None:
    given = applied(acme([OFF, "-a=1"]))
    without = Cluster(
        catalogue=with_product(GO),
        recorded=recorded(cluster(GO).create(acme(["-a=1"]), claims=False)),
    )

    assert without.update(given, touched(given)).plan.changes == ()
    assert cluster(GO).reconcile(given).plan.injected == ()


def test_a_list_that_somebody_edited_proves_nothing() -> None:
    old = cluster(GO).create(applied(acme(["-a=1"])), claims=False).manifest
    more = owned(old, "kubectl-edit")["metadata"]["managedFields"]
    old["metadata"]["managedFields"] += more
    without = Cluster(catalogue=with_product(GO))

    assert without.update(old, touched(old)).plan.changes == ()


def test_a_list_that_is_ours_goes_as_a_whole() -> None:
    old = cluster(GO).create(acme(), claims=False).manifest
    (one,) = cluster(GO).reconcile(old).plan.injected
    assert one.image_arguments == ("-config.file=/etc/acme.yaml",)

    without = Cluster(catalogue=with_product(GO))
    assert args_of(without.update(old, touched(old)).manifest) is None


def test_a_list_that_somebody_changed_loses_only_our_word() -> None:
    old = cluster(GO).create(acme(), claims=False)
    changed = owned(with_args(old.manifest, [*OURS, "-b=2"]), "kubectl-edit")
    record = recorded(old)
    without = Cluster(catalogue=with_product(GO), recorded=record)

    assert args_of(without.update(old.manifest, changed).manifest) == [OURS[1], "-b=2"]


def test_another_version_gets_the_arguments_of_its_own_image() -> None:
    """A list of ours would keep those of the version before."""
    first, second = {**GO, "imageArguments": ["-old=1"]}, {**GO, "imageArguments": ["-new=1"]}
    rules = [
        {
            "versions": [versions],
            "default": "On",
            "switches": [{"semantics": "Start", "argument": one}],
        }
        for versions, one in ((">=1 <1.5", first), (">=1.5 <1.8", second), (">=1.8", RUN))
    ]
    channels = [{"name": "Usage", "rules": rules}]
    versions = {"lines": [{"lowest": "1.0.0", "verified": "1.9"}]}
    of = under(
        opt(), catalogue=catalogue_with(product("acme", channels=channels, versions=versions))
    )

    old = of.create(acme(), claims=False).manifest
    assert args_of(old) == [OFF, "-old=1"]
    newer = of.update(old, with_image(old, "acme/acme:1.6.0")).manifest
    assert args_of(newer) == [OFF, "-new=1"]
    assert not of.reconcile(newer).plan.edits
    # The newest has a CMD that is not known: it counts again.
    newest = of.update(newer, with_image(newer, "acme/acme:1.8.0")).manifest
    assert args_of(newest) is None


def _affinity(values: list[str], operator: str = "In") -> dict[str, Any]:
    expression = {"key": "kubernetes.io/os", "operator": operator, "values": values}
    terms = [{"matchExpressions": [expression]}]
    required = {"nodeSelectorTerms": terms}
    node = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    return {"affinity": {"nodeAffinity": node}}


@pytest.mark.parametrize(
    ("tag", "pod"),
    [
        ("1.5.0-nanoserver-1809", {}),
        ("1.5.0-windowsservercore-ltsc2022", {}),
        ("1.5.0-windows", {}),
        ("1.5.0-Windows-amd64", {}),
        ("1.5.0-ltsc2022", {}),
        ("1.5.0", {"os": {"name": "windows"}}),
        ("1.5.0", {"nodeSelector": {"kubernetes.io/os": "windows"}}),
        ("1.5.0", {"nodeSelector": {"beta.kubernetes.io/os": "windows"}}),
        ("1.5.0", _affinity(["windows"])),
        ("1.5.0", _affinity(["linux", "windows"])),
    ],
)
def test_an_image_for_windows_has_other_arguments(tag: str, pod: dict[str, Any]) -> None:
    image = f"acme/acme:{tag}"
    given_ = acme(image=image, pod=pod)
    of = cluster(GO)

    assert not of.create(given_, claims=False).plan.edits
    assert verdict(of, given_) == (State.UNKNOWN, Reason.IMAGE_ARGUMENTS_UNKNOWN)
    # Its own arguments are read and written as on Linux.
    written = of.create(acme(["-a=1"], image=image, pod=pod), claims=False)
    assert args_of(written.manifest) == [OFF, "-a=1"]


@pytest.mark.parametrize(
    ("tag", "pod"),
    [
        ("1.5.0", {}),
        ("1.5.0-linux", {}),
        ("1.5.0", {"os": {"name": "linux"}, "nodeSelector": {"kubernetes.io/os": "linux"}}),
        ("1.5.0", {"nodeSelector": {"disk": "windows"}}),
        ("1.5.0", _affinity(["linux"])),
        ("1.5.0", _affinity(["windows"], "NotIn")),
        ("1.5.0", {"os": "windows", "nodeSelector": "windows", "affinity": {"nodeAffinity": []}}),
    ],
)
def test_an_image_for_linux_has_those_that_are_listed(tag: str, pod: dict[str, Any]) -> None:
    written = cluster(GO).create(acme(image=f"acme/acme:{tag}", pod=pod), claims=False)
    assert args_of(written.manifest) == OURS


def test_a_list_for_linux_goes_where_the_image_becomes_one_for_windows() -> None:
    of = cluster(GO)
    old = of.create(acme(), claims=False).manifest
    assert args_of(old) == OURS

    newer = of.update(old, with_image(old, "acme/acme:1.5.0-nanoserver-1809")).manifest
    assert args_of(newer) is None
    assert not of.reconcile(newer).plan.edits


def test_the_command_revert_removes_what_is_recorded() -> None:
    old = cluster(GO).create(acme(["-a=1"]), claims=False)
    created = cluster(GO).create(acme(), claims=False).manifest
    list_record = cluster(GO).reconcile(created).plan.injected

    for found, record, after in (
        (old.manifest, recorded(old), ["-a=1"]),
        (created, list_record, None),
        (acme([OFF, OFF]), recorded(old), [OFF, OFF]),
        (acme(["-a=1"]), recorded(old), ["-a=1"]),
    ):
        edits = edits_for(workload(found), record)
        patch = build_patch(found, TEMPLATE_PATHS["Deployment"], edits)
        assert args_of(apply_patch(found, patch)) == after


def test_a_variable_of_the_same_name_is_none() -> None:
    given = manifest(container(IMAGE, env={"-telemetry": OFF}, args=["-a=1"]))
    record = recorded(cluster(GO).create(acme(["-a=1"]), claims=False))
    without = Cluster(catalogue=with_product(GO), recorded=record)

    assert without.update(given, touched(given)).plan.changes == ()


@pytest.mark.parametrize("args", [["-a=1"], [ON], None])
def test_warnings_say_what_was_done(args: list[str] | None) -> None:
    written = cluster(GO).create(acme(args), claims=False)
    (said,) = (warning_for(change, "Deployment it") for change in written.plan.changes)

    assert ("replaced the argument" if args == [ON] else "added the argument") in said
    assert OFF in said


def test_a_product_of_ones_own_needs_a_listed_value_and_no_loader() -> None:
    channels = [
        {
            "name": "Usage",
            "rules": [{"default": "On", "switches": [{"semantics": "Start", "argument": GO}]}],
        }
    ]
    of = under(opt(), catalogue=catalogue_with(own_product("acme", channels=channels)))

    assert args_of(of.create(acme(["-telemetry=odd"]), claims=False).manifest) == ["-telemetry=odd"]
    assert args_of(of.create(acme(["-telemetry=1"]), claims=False).manifest) == [OFF]


# Any mixture of words

_WORDS = st.sampled_from(
    [
        *(
            OFF,
            ON,
            "--telemetry",
            "-telemetry=0",
            "-telemetry=maybe",
            "-telemetry=",
            "--telemetry=1",
        ),
        *("-a", "-a=1", "--b", "--b=/x", "word", "acme", "run", "--", "-", "", "$(X)", "-$(X)"),
        *("-telemetry=$(X)", "true", "false", "--disable-telemetry", "--disable-telemetry=false"),
        *(
            "sh",
            "-c",
            "exec acme",
            "a;b",
            "entrypoint.sh",
            "/sbin/tini",
            "--notelemetry",
            "on",
            "off",
        ),
    ]
)
_LISTS = st.none() | st.lists(_WORDS, max_size=6)
_COMMANDS = st.none() | st.lists(_WORDS, min_size=1, max_size=3) | st.just(["/usr/bin/acme"])
_SWITCHES = st.sampled_from([GO, RUN, NEXT, ABSL])


def _others(argument: ArgumentSwitch, words: list[str]) -> list[str]:
    return [word for word in words if not argument.is_flag(word)]


@given(
    of=_SWITCHES,
    args=_LISTS,
    command=_COMMANDS,
    submission=st.sampled_from(["Disabled", "Enabled"]),
)
@examples(300)
def test_any_mixture_of_words(
    of: dict[str, Any], args: list[str] | None, command: list[str] | None, submission: str
) -> None:
    given_ = acme(args, command)
    written = cluster(of, submission=submission).create(given_, claims=False)
    after = args_of(written.manifest) or []

    # Nothing else is touched, and a second look finds nothing to do.
    assert with_args(written.manifest, args) == given_
    assert not cluster(of, submission=submission).reconcile(written.manifest).plan.edits
    again = cluster(of, submission=submission).update(written.manifest, given_)
    assert args_of(again.manifest) == args_of(written.manifest)
    # What is written works, and is the least.
    if written.plan.edits:
        (before,) = workload(given_).template.containers
        (found,) = workload(written.manifest).template.containers
        wanted = Setting(submission)
        assert read_switch(before, switch(of)).setting is not wanted
        absent = submission == "Enabled" and "enabled" not in of
        assert read_switch(found, switch(of)).setting in (
            {wanted, Setting.UNSET} if absent else {wanted}
        )
        argument = switch(of).argument
        assert argument is not None
        if of is not NEXT:  # there, the word behind a flag may be its value
            others = args or ([] if command else of.get("imageArguments", []))
            assert _others(argument, after) == _others(argument, others)
    # A line of shell is never touched.
    if any(mark in word for word in (*(args or ()), *(command or ())) for mark in (";", "exec ")):
        assert not written.plan.edits


@given(of=_SWITCHES, args=_LISTS.filter(lambda one: one != []), command=_COMMANDS)
@examples(300)
def test_reverting_restores_the_list(
    of: dict[str, Any], args: list[str] | None, command: list[str] | None
) -> None:
    """But for words of the flag that were replaced, which nobody remembers."""
    given_ = applied(acme(args, command))
    argument = switch(of).argument
    assert argument is not None
    if any(map(argument.is_flag, args or ())):
        return
    old = cluster(of).create(given_, claims=False).manifest
    without = Cluster(catalogue=with_product(of))

    assert args_of(without.update(old, touched(old)).manifest) == args
