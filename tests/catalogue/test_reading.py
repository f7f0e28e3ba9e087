"""How a product reads its switch, for every combination that a catalogue entry can state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.model.policy import Submission
from fleet_telemetry.model.product import EnvSwitch, Meaning, Reading
from tests.model.wild import WILD_TEXT, steady


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("true", Meaning.ENABLED),
        ("TRUE", Meaning.ENABLED),
        ("false", Meaning.DISABLED),
        ("False", Meaning.DISABLED),
        (" true", Meaning.UNKNOWN),
        ("", Meaning.UNKNOWN),
        ("1", Meaning.UNKNOWN),
    ],
)
def test_by_default_only_true_and_false_mean_anything(value: str, meaning: Meaning) -> None:
    assert Reading().meaning_of(value) is meaning


def test_case_counts_where_the_product_says_so() -> None:
    reading = Reading(ignore_case=False, enabled=("Yes",), disabled=("No",))
    assert reading.meaning_of("Yes") is Meaning.ENABLED
    assert reading.meaning_of("No") is Meaning.DISABLED
    assert reading.meaning_of("yes") is Meaning.UNKNOWN


def test_case_does_not_count_in_the_catalogue_either() -> None:
    assert Reading(enabled=("Yes",)).meaning_of("yEs") is Meaning.ENABLED


def test_blanks_are_cut_off_before_a_value_counts_as_empty() -> None:
    trimmed = Reading(trim=True, empty=Meaning.UNSET, otherwise=Meaning.DISABLED)
    untrimmed = Reading(empty=Meaning.UNSET, otherwise=Meaning.DISABLED)
    assert trimmed.meaning_of(" \t") is Meaning.UNSET
    assert untrimmed.meaning_of(" \t") is Meaning.DISABLED
    assert untrimmed.meaning_of("") is Meaning.UNSET


def test_an_empty_value_that_is_listed_is_no_longer_merely_empty() -> None:
    assert Reading(disabled=("",), empty=Meaning.ENABLED).meaning_of("") is Meaning.DISABLED


def test_what_is_listed_as_both_enables_since_that_is_the_one_to_fear() -> None:
    assert Reading(enabled=("x",), disabled=("x",)).meaning_of("x") is Meaning.ENABLED


def test_what_we_write_ourselves_is_understood_whatever_the_reading_says() -> None:
    switch = EnvSwitch(name="X", disabled="off", enabled="on")
    assert switch.meaning_of("off") is Meaning.DISABLED
    assert switch.meaning_of("on") is Meaning.ENABLED
    assert switch.meaning_of("OFF") is Meaning.UNKNOWN


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
        empty=st.sampled_from(Meaning),
        otherwise=st.sampled_from(Meaning),
    ),
)
def test_every_value_means_something_and_never_raises(value: str, reading: Reading) -> None:
    meaning = reading.meaning_of(value)
    listed = meaning in {Meaning.ENABLED, Meaning.DISABLED}
    assert listed or meaning in {reading.empty, reading.otherwise}
    if reading.trim:
        assert reading.meaning_of(f" {value}\n") is meaning
