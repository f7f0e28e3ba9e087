"""What a form of a list of hosts is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

from fleet_telemetry.audit.hosts.listing import Action, HostList, ListedHost
from fleet_telemetry.objects.text import printable

_LONGEST = 300


class HostFormat(Protocol):
    """One form. Host names are those that the API accepts; other text is somebody's."""

    name: str
    """As ``--format`` takes it."""
    actions: frozenset[Action]
    """What it can say."""

    def render(self, listed: HostList) -> str:
        """The whole text, with a newline at its end."""


class LinesFormat(ABC):
    """A form of which each line says one thing. What extends it has the lines, and a name."""

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        return "".join(f"{line}\n" for line in self.lines(listed))

    @abstractmethod
    def lines(self, listed: HostList) -> Iterator[str]:
        """The lines, comments included."""


BOTH = frozenset(Action)
ONLY_DENY = frozenset({Action.DENY})


def notes(listed: HostList) -> Iterator[str]:
    """What a reader has to know, one line each."""
    if not listed.hosts:
        yield "No telemetry host is listed."
    for one in listed.hosts:
        if one.sent_by_browser:
            yield f"{_at(one)}: only browsers connect to it, not the pods."
        if one.also_serves:
            yield printable(f"{_at(one)} also serves: {'; '.join(one.also_serves)}", _LONGEST)
    for one in listed.left_out:
        text = f"Left out: {_at(one)} also serves: {'; '.join(one.also_serves)}"
        yield printable(text, _LONGEST)


def commented(listed: HostList, mark: str, *more: str) -> Iterator[str]:
    """The same as comments of a language, after what is said of the form."""
    title = "denied" if listed.action is Action.DENY else "allowed"
    yield f"{mark} Telemetry hosts to be {title}, by fleet-telemetry hosts."
    yield from (f"{mark} {line}" for line in (*more, *notes(listed)))


def _at(one: ListedHost) -> str:
    return f"{one.host}:{one.port}"
