"""One cluster with one operator for many tests, from the first of them to the last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pytest
import xdist

from tests.support.world import World


def needs_shared_world(test: pytest.Item) -> bool:
    """Whether it uses the fixture in tests/e2e/conftest.py."""
    return "shared_world" in getattr(test, "fixturenames", ())


class SharedWorld:
    """Use as: enter and leave for each test, close.

    A cluster with an operator takes 0.15 of a core as long as it runs, whatever happens, so it ends
    with the last of its tests.
    """

    def __init__(self, start: Callable[[], AbstractContextManager[World]]) -> None:
        self._start = start
        self._stack = ExitStack()
        self._world: World | None = None
        self._ahead: set[pytest.Item] = set()

    def enter(self, test: pytest.Item) -> World:
        """Return the world, which starts if this is the first test."""
        if self._world is None:
            self._world = self._stack.enter_context(self._start())
            self._ahead = _sharing(test)
        return self._world

    def leave(self, test: pytest.Item) -> None:
        """Stop it if this was the last test."""
        self._ahead.discard(test)
        if not self._ahead:
            self.close()

    def close(self) -> None:
        """Stop it."""
        self._world = None
        self._stack.close()


def _sharing(test: pytest.Item) -> set[pytest.Item]:
    """This test and the others that need it: on the same worker, if there are several."""
    return {
        one for one in test.session.items if needs_shared_world(one) and _group(one) == _group(test)
    }


def _group(test: pytest.Item) -> object:
    marker = test.get_closest_marker("xdist_group")
    return marker.args if marker and xdist.is_xdist_worker(test.session) else None
