"""When the demo waits, and when it ends by itself."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from dev.demo.attendance import can_be_interrupted


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    controller, end = os.openpty()
    with os.fdopen(end, "r") as stdin:
        yield stdin
    os.close(controller)


def test_it_waits_for_somebody_at_a_terminal(terminal: TextIO) -> None:
    for said in ({}, {"CI": ""}, {"CI": "false"}, {"CI": "0"}):
        assert can_be_interrupted(terminal, said)


def test_it_does_not_wait_in_ci_even_with_a_terminal(terminal: TextIO) -> None:
    for value in ("true", "1", "woodpecker"):
        assert not can_be_interrupted(terminal, {"CI": value})


def test_it_does_not_wait_for_a_pipe_a_file_or_nothing() -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123  # as a shell opens it
        assert not can_be_interrupted(nothing, {})
    assert not can_be_interrupted(nothing, {})  # closed
    assert not can_be_interrupted(io.StringIO(), {})
    assert not can_be_interrupted(None, {})
