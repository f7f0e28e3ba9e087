"""Cells that a spreadsheet may open."""

from __future__ import annotations

import pytest

from fleet_telemetry.audit.spreadsheet import as_text


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\uff1d1", "\uff20a", "  =1", "\u3000@a"])
def test_a_cell_is_no_formula(cell: str) -> None:
    assert as_text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "telemetry.example.com", " a"])
def test_another_cell_stays(cell: str) -> None:
    assert as_text(cell) == cell
