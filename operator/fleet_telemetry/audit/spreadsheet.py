"""Cells of a table that somebody may open in a spreadsheet."""

from __future__ import annotations

# A spreadsheet takes a cell that begins so for a formula; the last four are wide forms.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def as_text(cell: str) -> str:
    """The cell, so that no spreadsheet takes it for a formula."""
    # The quote says that text follows.
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) else cell
