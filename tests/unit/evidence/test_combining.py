"""What several instances say, taken together: one that differs is enough to differ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.combining import InstanceAnswer, combine
from fleet_telemetry.evidence.report import InstanceReport, Reported
from tests.support.depth import examples

OFF, ON = Submission.DISABLED, Submission.ENABLED


def said(setting: Setting, instance: str = "", **more: Any) -> InstanceAnswer:
    return InstanceAnswer(instance, InstanceReport(setting, **more))


def silent(
    instance: str = "", reason: Reason = Reason.UNREACHABLE, text: str = "No."
) -> InstanceAnswer:
    return InstanceAnswer(instance, None, reason, text)


def right(instance: str = "", **more: Any) -> InstanceAnswer:
    return said(Setting.DISABLED, instance, **more)


def wrong(instance: str = "", **more: Any) -> InstanceAnswer:
    return said(Setting.ENABLED, instance, **more)


def test_one_that_says_as_wished() -> None:
    assert combine([right()], OFF) == Reported(setting=Setting.DISABLED)
    assert combine([wrong()], ON) == Reported(setting=Setting.ENABLED)


def test_all_have_to_agree() -> None:
    assert combine([right("a"), right("b")], OFF) == Reported(setting=Setting.DISABLED)


def test_one_of_several_that_differs_is_named() -> None:
    found = combine([right("a"), wrong("b"), right("c")], OFF)
    assert found.setting is Setting.ENABLED
    assert found.fault is None
    assert found.message == "It reports Enabled (b of 3)."


def test_the_only_one_needs_no_name() -> None:
    assert combine([wrong("a")], OFF).message == "It reports Enabled."
    assert combine([right("a")], ON).message == "It reports Disabled."


def test_one_that_differs_beats_those_that_are_silent() -> None:
    found = combine([silent("a"), wrong("b"), said(Setting.UNKNOWN, "c")], OFF)
    assert (found.setting, found.fault) == (Setting.ENABLED, None)
    assert found.message == "It reports Enabled (b of 3)."


def test_many_are_not_all_named() -> None:
    told = [wrong(f"n{number}") for number in range(7)]
    assert combine(told[:5], OFF).message == "It reports Enabled (n0, n1, n2, n3, n4 of 5)."
    expected = "It reports Enabled (n0, n1, n2, n3, n4 and 2 more of 7)."
    assert combine(told, OFF).message == expected


def test_one_that_is_silent_leaves_it_unknown_and_says_why() -> None:
    found = combine([right("a"), silent("b", Reason.CREDENTIALS_REJECTED, "Answered 401")], OFF)
    assert found.setting is Setting.UNKNOWN
    assert found.fault is Reason.CREDENTIALS_REJECTED
    assert found.message == "Answered 401 (b of 2)"
    assert combine([silent(text="Answered 401")], OFF).message == "Answered 401"


def test_one_that_answers_and_does_not_tell_is_no_fault() -> None:
    found = combine([right("a"), said(Setting.UNKNOWN, "b", note="Too old to tell.")], OFF)
    assert (found.setting, found.fault) == (Setting.UNKNOWN, None)
    assert found.message == "Too old to tell."
    assert found.lacks_setting
    # Where another is at fault, that is said.
    found = combine([said(Setting.UNKNOWN, "b"), silent("c")], OFF)
    assert found.fault is Reason.UNREACHABLE


def test_nobody_asked_is_nothing_known() -> None:
    assert combine([], OFF) == Reported()
    assert not combine([silent("a")], OFF).lacks_setting


def test_notes_are_told_once() -> None:
    found = combine([wrong("a", note="N."), wrong("b", note="N."), right("c", note="M.")], OFF)
    assert found.message == "It reports Enabled (a, b of 3). N. M."


def test_inventories_are_merged_and_the_last_time_counts() -> None:
    early, late = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))
    told = [
        right("a", inventory=("version", "id"), last_submission=late),
        right("b", inventory=("id", "nodes"), last_submission=early),
        right("c"),
        silent("d"),
    ]
    found = combine(told, OFF)
    assert found.inventory == ("id", "nodes", "version")
    assert found.last_submission == late


def test_a_restart_helps_only_where_it_helps_all_that_differ() -> None:
    waiting = wrong("a", restart_needed=True)
    assert combine([waiting, right("b")], OFF).restart_needed
    assert not combine([waiting, wrong("b")], OFF).restart_needed
    assert not combine([right("a", restart_needed=True)], OFF).restart_needed
    assert not combine([silent("a")], OFF).restart_needed


def test_one_without_a_setting_that_works_is_enough() -> None:
    assert not combine([wrong("a"), wrong("b", enforceable=False)], OFF).enforceable
    assert combine([wrong("a"), silent("b")], OFF).enforceable


_readings = st.builds(
    InstanceReport,
    st.sampled_from([Setting.DISABLED, Setting.DISABLED, *Setting]),
    inventory=st.sampled_from([(), ("a",)]),
    enforceable=st.booleans(),
    restart_needed=st.booleans(),
    note=st.sampled_from(["", "N."]),
)
_told = st.lists(
    st.builds(InstanceAnswer, st.sampled_from(["", "a", "b"]), _readings)
    | st.builds(
        InstanceAnswer,
        st.sampled_from(["", "a"]),
        st.none(),
        st.sampled_from(Reason),
        st.just("Why."),
    ),
    max_size=5,
)


@examples(500)
@given(_told, st.sampled_from(Submission))
def test_it_is_as_wished_only_if_every_instance_said_so(
    told: list[InstanceAnswer], wish: Submission
) -> None:
    found = combine(told, wish)
    settings = [one.report.setting if one.report else None for one in told]
    wanted = Setting(wish.value)
    assert (found.setting is wanted) == (bool(told) and set(settings) == {wanted})
    contrary = [one for one in settings if one not in (None, wanted, Setting.UNKNOWN)]
    if contrary:
        assert found.setting is contrary[0]
        assert found.fault is None
    if found.fault is not None:
        assert found.setting is Setting.UNKNOWN
        assert found.message


@pytest.mark.parametrize("wish", Submission)
def test_the_order_of_the_instances_does_not_matter(wish: Submission) -> None:
    told = [right("a"), wrong("b"), silent("c")]
    assert combine(told, wish).setting is combine(told[::-1], wish).setting
