"""One test for every row of a table fails for each row that fails, and names it."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import every as module
from tests.support.every import every


def test_all_rows_are_tried_and_each_that_failed_is_named() -> None:
    seen = []

    @every("number", [1, 2, 3, 4], ids=lambda number: f"row {number}")
    def check(number: int) -> None:
        seen.append(number)
        assert number % 2, f"{number} is even\nas it should not be"

    with pytest.raises(AssertionError, match="2 is even") as caught:
        check()
    assert seen == [1, 2, 3, 4]
    (note,) = caught.value.__notes__
    first, two, four = note.splitlines()
    assert first.startswith("2 of 4 rows failed")
    assert two.startswith("  row 2: AssertionError: 2 is even as it should not be")
    assert four.startswith("  row 4: AssertionError: 4 is even")


def test_nothing_is_raised_if_every_row_holds() -> None:
    @every("number", [1, 3])
    def check(number: int) -> None:
        assert number % 2

    check()


@pytest.mark.parametrize("missed", [ValueError, pytest.fail.Exception, pytest.skip.Exception])
def test_whatever_ends_a_row_is_a_failure(missed: type[BaseException]) -> None:
    seen = []

    @every("number", [1, 2])
    def check(number: int) -> None:
        seen.append(number)
        raise missed("no")

    with pytest.raises((ValueError, AssertionError, pytest.fail.Exception)) as caught:
        check()
    assert "2 of 2 rows failed" in caught.value.__notes__[0]
    assert seen == [1, 2]


def test_a_row_that_is_stopped_stops_the_test() -> None:
    @every("number", [1, 2])
    def check(number: int) -> None:
        raise KeyboardInterrupt(number)

    with pytest.raises(KeyboardInterrupt):
        check()


def test_fixtures_are_left_and_rows_are_filled_in() -> None:
    seen = []

    @every(("a", "b"), [(1, "x"), pytest.param(2, "y", id="named")])
    def check(tmp_path: str, a: int, b: str) -> None:
        seen.append((tmp_path, a, b))

    assert list(inspect.signature(check).parameters) == ["tmp_path"]
    check(tmp_path="/t")  # type: ignore[call-arg]
    assert seen == [("/t", 1, "x"), ("/t", 2, "y")]


def test_each_method_of_a_class_is_one_test() -> None:
    seen = []

    @every("name", ["a", "b"])
    class TestThem:
        def test_one(self, name: str) -> None:
            seen.append(f"one {name}")

        def test_two(self, name: str) -> None:
            seen.append(f"two {name}")

    TestThem().test_one()  # type: ignore[call-arg]
    TestThem().test_two()  # type: ignore[call-arg]
    assert seen == ["one a", "one b", "two a", "two b"]


def test_of_two_tables_every_combination_is_a_row() -> None:
    seen = []

    @every("a", [1, 2])
    @every("b", ["x", "y"], ids=["first", "second"])
    def check(a: int, b: str) -> None:
        seen.append((a, b))
        assert (a, b) not in {(1, "y"), (2, "x")}

    with pytest.raises(AssertionError) as caught:
        check()  # type: ignore[call-arg]
    assert sorted(seen) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert [line.split(":")[0] for line in caught.value.__notes__[0].splitlines()] == [
        "2 of 4 rows failed; this is the first one",
        "  second-1",
        "  first-2",
    ]


def test_rows_of_one_name_are_all_tried() -> None:
    seen = []

    @every("value", [["x"], ["x"], ["y"]], ids=lambda _: "same")
    def check(value: list[str]) -> None:
        seen.append(value)
        assert value == []

    with pytest.raises(AssertionError) as caught:
        check()
    assert len(seen) == 3
    assert [line.split(":")[0] for line in caught.value.__notes__[0].splitlines()[1:]] == [
        "  same",
        "  same (2)",
        "  same (3)",
    ]


def test_some_can_be_chosen_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @every("name", ["emqx", "sonarqube"])
    def check(name: str) -> None:
        seen.append(name)

    monkeypatch.setattr(module, "ONLY", "sonar")
    check()
    assert seen == ["sonarqube"]
    monkeypatch.setattr(module, "ONLY", "nothing")
    with pytest.raises(pytest.skip.Exception, match="'nothing'"):
        check()


def test_a_long_list_is_cut() -> None:
    @every("number", range(1000))
    def check(number: int) -> None:
        pytest.fail(f"{number}" + "x" * 10_000)

    with pytest.raises(pytest.fail.Exception) as caught:
        check()
    lines = caught.value.__notes__[0].splitlines()
    assert lines[-1] == "  and 800 more"
    assert max(map(len, lines)) < 400


def test_a_table_without_rows_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="nothing to be tested"):
        every("name", [])


def test_what_nobody_would_run_or_fill_in_is_a_mistake() -> None:
    async def later(number: int) -> None: ...

    def other(text: str) -> None: ...

    @given(st.integers())
    def wild(number: int, value: int) -> None: ...

    for test, says in ((later, "await"), (other, "not taken"), (wild, "hypothesis")):
        with pytest.raises(AssertionError, match=says):
            every("number", [1])(test)
