"""What is wrong in a file, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """One fault. Lines count from 1."""

    file: str
    line: int
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}; {self.advice}"


class FileError(Exception):
    """Nothing further can be said of a file; ``problems`` say why."""

    def __init__(self, *problems: FileProblem) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))
