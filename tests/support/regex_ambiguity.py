"""Whether a regular expression can be made to take more than linear time.

The expression becomes an automaton without empty transitions (Glushkov's construction), in which
a bounded repetition counts as an unbounded one. A backtracking matcher needs more than linear time
only if the automaton is ambiguous (Weber and Seidl, "On the degree of ambiguity of finite
automata", 1991):

- exponential time if two different ways lead from a state back to itself by the same text,
- polynomial time if one text leads from p to p, from p to q, and from q to q.

A search begins anew at every place of the text, which is a loop of its own before the expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_EVERY = 257
"""ASCII and Latin-1, and one letter that stands for all others."""
_ALL = (1 << _EVERY) - 1
_OTHER = "\u4e00"


@dataclass
class _Part:
    """A part of an expression: where it can begin and end, and whether it can be empty."""

    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)
    empty: bool = True


class _Automaton:
    def __init__(self, pattern: re.Pattern[str] | re.Pattern[bytes], *, search: bool) -> None:
        self.letters: list[int] = []
        self.is_doubled = False
        """Whether a repetition leads the same way as another one inside it."""
        self.follow: list[set[int]] = []
        self._flags = pattern.flags
        self._is_bytes = isinstance(pattern.pattern, bytes)
        parsed = _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
        self._is_inside = False
        self._may_fail_at_end = False
        self.passed = -1
        self.found: set[int] = set()
        self._sequence(parsed)
        if search:
            # The expression once more, behind the part of the text that the search has passed.
            self._is_inside = True
            self.passed = len(self.letters)
            passed = self._loop(self._letter(_ALL))
            whole = self._sequence(parsed)
            self._then(passed, whole)
            if not self._may_fail_at_end:
                # Whoever comes here has found something, so the search ends.
                self.found = whole.last

    def _letter(self, letters: int) -> _Part:
        self.letters.append(letters)
        self.follow.append(set())
        at = len(self.letters) - 1
        return _Part({at}, {at}, empty=False)

    def _then(self, one: _Part, other: _Part) -> _Part:
        for at in one.last:
            self.follow[at] |= other.first
        return _Part(
            one.first | (other.first if one.empty else set()),
            other.last | (one.last if other.empty else set()),
            empty=one.empty and other.empty,
        )

    def _loop(self, part: _Part) -> _Part:
        for at in part.last:
            self.is_doubled |= bool(self.follow[at] & part.first)
            self.follow[at] |= part.first
        return _Part(part.first, part.last, empty=part.empty)

    def _sequence(self, items: Iterable[Any]) -> _Part:
        whole = _Part()
        for item in items:
            whole = self._then(whole, self._item(*item))
        return whole

    def _item(self, op: Any, value: Any) -> _Part:
        if op is sre.BRANCH:
            parts = [self._sequence(branch) for branch in value[1]]
            return _Part(
                set().union(*(part.first for part in parts)),
                set().union(*(part.last for part in parts)),
                empty=any(part.empty for part in parts),
            )
        if op is sre.SUBPATTERN:
            return self._sequence(value[-1])
        if op is sre.ATOMIC_GROUP:
            return self._sequence(value)
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            least, most, inner = value
            part = self._sequence(inner)
            if most == 1:
                return _Part(part.first, part.last, empty=part.empty or not least)
            if most is sre.MAXREPEAT or least != most:
                part = self._loop(part)
            else:
                for _ in range(least - 1):
                    part = self._then(part, self._sequence(inner))
            return _Part(part.first, part.last, empty=part.empty and not least)
        if op is sre.AT and value in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            return _Part(empty=not self._is_inside)
        if op in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            self._may_fail_at_end = True
            return _Part()
        return self._letter(self._letters(op, value))

    def _letters(self, op: Any, value: Any) -> int:
        """The letters that one item matches, as the matcher itself finds them."""
        single = _parser.SubPattern(_parser.State(), [(op, value)])
        single.state.flags = self._flags
        compiled = re._compiler.compile(single, self._flags)  # type: ignore[attr-defined]
        every = [*map(chr, range(_EVERY - 1)), _OTHER]
        return sum(
            1 << at
            for at, letter in enumerate(every)
            if compiled.fullmatch(letter.encode("latin-1", "replace") if self._is_bytes else letter)
        )

    def steps(self, *states: int) -> Iterator[tuple[int, ...]]:
        """Where several runs can be after one more letter, which is the same for all."""
        for after in product(*(self.follow[state] for state in states)):
            shared = _ALL
            for state in after:
                shared &= self.letters[state]
            if shared:
                yield after

    def reachable(self, start: tuple[int, ...]) -> set[tuple[int, ...]]:
        """Where several runs can be after one letter or more."""
        found: set[tuple[int, ...]] = set()
        left = [start]
        while left:
            for after in self.steps(*left.pop()):
                if after not in found:
                    found.add(after)
                    left.append(after)
        return found


def ambiguity(pattern: re.Pattern[str] | re.Pattern[bytes], *, search: bool) -> str:
    """Why the expression may take more than linear time; empty if it cannot.

    ``search``: it is used with ``search``, ``findall``, ``finditer``, ``sub`` or ``split``.
    """
    automaton = _Automaton(pattern, search=search)
    if automaton.is_doubled:
        return "a repetition in a repetition"
    looping = [
        state
        for state in range(len(automaton.letters))
        if (state,) in automaton.reachable((state,))
    ]
    for state in looping:
        pairs = automaton.reachable((state, state))
        for one, other in pairs:
            if one != other and (state, state) in automaton.reachable((one, other)):
                return "two ways through one repetition"
    for one, other in product(looping, repeat=2):
        if one == automaton.passed and other in automaton.found:
            continue
        if one != other and (one, other, other) in automaton.reachable((one, one, other)):
            return "two repetitions that share a text"
    return ""
