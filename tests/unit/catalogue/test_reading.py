"""How a product reads its switch, for every combination that a catalogue entry can state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.env_switch import EnvSwitch
from fleet_telemetry.api.product.setting import Reading, Setting
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_TEXT


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("true", Setting.ENABLED),
        ("TRUE", Setting.ENABLED),
        ("false", Setting.DISABLED),
        ("False", Setting.DISABLED),
        (" true", Setting.UNKNOWN),
        ("", Setting.UNKNOWN),
        ("1", Setting.UNKNOWN),
    ],
)
def test_by_default_only_true_and_false_mean_anything(value: str, meaning: Setting) -> None:
    assert Reading().setting_of(value) is meaning


def test_case_counts_where_the_product_says_so() -> None:
    reading = Reading(ignore_case=False, enabled=("Yes",), disabled=("No",))
    assert reading.setting_of("Yes") is Setting.ENABLED
    assert reading.setting_of("No") is Setting.DISABLED
    assert reading.setting_of("yes") is Setting.UNKNOWN


def test_case_does_not_count_in_the_catalogue_either() -> None:
    assert Reading(enabled=("Yes",)).setting_of("yEs") is Setting.ENABLED


def test_blanks_are_cut_off_before_a_value_counts_as_empty() -> None:
    trimmed = Reading(trim=True, empty=Setting.UNSET, otherwise=Setting.DISABLED)
    untrimmed = Reading(empty=Setting.UNSET, otherwise=Setting.DISABLED)
    assert trimmed.setting_of(" \t") is Setting.UNSET
    assert untrimmed.setting_of(" \t") is Setting.DISABLED
    assert untrimmed.setting_of("") is Setting.UNSET


def test_an_empty_value_that_is_listed_is_no_longer_merely_empty() -> None:
    assert Reading(disabled=("",), empty=Setting.ENABLED).setting_of("") is Setting.DISABLED


def test_what_is_listed_as_both_enables_since_that_is_the_one_to_fear() -> None:
    assert Reading(enabled=("x",), disabled=("x",)).setting_of("x") is Setting.ENABLED


def test_what_we_write_ourselves_is_understood_whatever_the_reading_says() -> None:
    switch = EnvSwitch(name="X", disabled="off", enabled="on")
    assert switch.setting_of("off") is Setting.DISABLED
    assert switch.setting_of("on") is Setting.ENABLED
    assert switch.setting_of("OFF") is Setting.UNKNOWN


def test_a_wish_is_a_value_or_an_absence() -> None:
    assert EnvSwitch(name="X", disabled="").value_for(Submission.DISABLED) == ""
    assert EnvSwitch(name="X", disabled="").value_for(Submission.ENABLED) is None
    assert EnvSwitch(name="X", disabled="0", enabled="1").value_for(Submission.ENABLED) == "1"


@pytest.mark.parametrize(
    ("name", "is_named"),
    [
        ("APP_PHONE", True),
        ("APP_phone", True),
        ("app_phone", False),
        ("APP_HOME", True),
        ("APP_home", False),
        ("APP_PHONES", False),
        ("APP_", False),
        ("", False),
    ],
)
def test_names_are_exact_but_for_aliases_and_a_case_that_is_free(name: str, is_named: bool) -> None:
    switch = EnvSwitch(name="APP_PHONE", disabled="0", aliases=("APP_HOME",), any_case_after="APP_")
    assert switch.is_named(name) is is_named


def test_without_a_prefix_no_case_is_free() -> None:
    assert not EnvSwitch(name="X", disabled="0").is_named("x")


@steady
@given(
    WILD_TEXT,
    st.builds(
        Reading,
        enabled=st.lists(WILD_TEXT, max_size=2).map(tuple),
        disabled=st.lists(WILD_TEXT, max_size=2).map(tuple),
        ignore_case=st.booleans(),
        trim=st.booleans(),
        empty=st.sampled_from(Setting),
        otherwise=st.sampled_from(Setting),
    ),
)
def test_every_value_means_something_and_never_raises(value: str, reading: Reading) -> None:
    meaning = reading.setting_of(value)
    listed = meaning in {Setting.ENABLED, Setting.DISABLED}
    assert listed or meaning in {reading.empty, reading.otherwise, Setting.UNKNOWN}
    if reading.trim:
        assert reading.setting_of(f" {value}\n") is meaning


@pytest.mark.parametrize("value", ["\x01true", "true\x1f\x01", "\uff54rue", "ye\u017f", "s\u0131"])
def test_what_languages_trim_and_compare_differently_is_not_understood(value: str) -> None:
    reading = Reading(enabled=("true", "yes", "si"), trim=True, otherwise=Setting.DISABLED)
    assert reading.setting_of(value) is Setting.UNKNOWN


@every("space", ["\xa0", "\x85", "\x1c", "\x1f", "\u2003", "\u2028", "\u3000", "\ufeff", "\u200b"])
@every("form", ["{1}{0}", "{0}{1}", " {0}{1} "])
def test_white_space_that_some_languages_do_not_trim_is_not_understood(
    space: str, form: str
) -> None:
    """A Go program trims the no-break space and a Java program does not; for the latter this is no
    "false" at all."""
    for otherwise in (Setting.ENABLED, Setting.DISABLED):
        reading = Reading(trim=True, otherwise=otherwise)
        assert reading.setting_of(form.format("false", space)) is Setting.UNKNOWN


def test_a_letter_that_is_another_one_in_lower_case_is_not_understood() -> None:
    reading = Reading(disabled=("block",), otherwise=Setting.ENABLED)
    assert reading.setting_of("BLOCK") is Setting.DISABLED
    assert reading.setting_of("bloc\u212a") is Setting.UNKNOWN
