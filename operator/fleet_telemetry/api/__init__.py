"""Frozen types shared by every other package. Nothing here does I/O or knows a clock."""
