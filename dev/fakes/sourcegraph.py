"""A fake of the frontend of Sourcegraph.

Read in sourcegraph/sourcegraph-public-snapshot (about 5.6), not run:
``cmd/frontend/graphqlbackend/site.go``, ``telemetry.go`` and ``product_subscription_status.go``,
``cmd/frontend/internal/cli/config.go``, ``internal/database/conf.go``. What is newer is read in
sourcegraph/docs only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from dev.fakes.server import FakeProduct

CONTENTS = """{
  // The URL that people use.
  "externalURL": "https://code.example.com",
  "licenseKey": "REDACTED",
  "auth.providers": [
    {"type": "openidconnect", "clientSecret": "REDACTED"}, /* {"type": "builtin"} */
  ],
  // "update.channel": "none",
}
"""
_SINCE_EVENTS = (5, 2, 1)
_SINCE_QUEUE = (7, 0, 2178)


class FakeSourcegraph(FakeProduct):
    """Keeps the site configuration as text, the licence's tags and lists of events."""

    def __init__(
        self,
        *,
        version: str = "5.6.185",
        contents: str = CONTENTS,
        token: str = "sgp_5e_of_a_site_administrator",
        weak_token: str = "sgp_0b_of_a_plain_user",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.version = version
        self.contents = contents
        self.id = 7
        self.token = token
        self.weak_token = weak_token
        self.tags: list[str] | None = ["plan:enterprise-1", "true-up"]
        """Of the licence; None is no licence."""
        self.has_site_config_file = False
        self.licence_is_elsewhere = False
        """The licence is where later documents show it."""
        self.exported: list[dict[str, Any]] = []
        """Newest first: ``{"exportedAt": ..., "payload": {...}}``."""
        self.queued: list[dict[str, Any]] = []
        self.meddlers = 0
        """As many times somebody else changes the configuration just before a change is taken."""
        self.races = False
        """It is seen late, by the database only."""
        self.errors: list[dict[str, Any]] = []
        """Answered instead of any data."""

    def routes(self) -> Iterable[web.RouteDef]:
        """GraphQL and nothing else."""
        return (web.post("/.api/graphql", self._graphql),)

    def export(self, exported_at: str, **payload: Any) -> None:
        """An event was exported."""
        self.exported.insert(0, {"exportedAt": exported_at, "payload": _event(**payload)})

    def queue(self, **payload: Any) -> None:
        """An event waits to be exported."""
        self.queued.append({"payload": _event(**payload)})

    async def _graphql(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        is_known = scheme in ("token", "token-sudo")
        if is_known and token not in (self.token, self.weak_token):
            return web.Response(status=HTTPStatus.UNAUTHORIZED, text="Invalid access token.\n")
        if self.errors:
            return _json({"data": None, "errors": self.errors})
        asked = await request.json()
        query = asked["query"]
        if unknown := self._unknown_field(query):
            # What is not in the schema is refused before anything is looked at.
            message = f'Cannot query field "{unknown}" on type "Query".'
            error = {"message": message, "locations": [{"line": 1, "column": 1}]}
            return _json({"errors": [error]})
        if not is_known:
            return _refused("not authenticated")
        if token != self.token:
            return _refused("must be site admin")
        if query.startswith("mutation"):
            return self._update(**asked["variables"])
        return _json({"data": self._answer(query)})

    def _unknown_field(self, query: str) -> str:
        numbers = tuple(int(number) for number in re.findall(r"\d+", self.version)[:3])
        unknown = {
            "exportedEvents": numbers < _SINCE_EVENTS,
            "eventsQueuedForExport": numbers < _SINCE_QUEUE,
            "productSubscription": self.licence_is_elsewhere,
            "licenseInfo": not self.licence_is_elsewhere,
        }
        return next((name for name, holds in unknown.items() if holds and name in query), "")

    def _answer(self, query: str) -> dict[str, Any]:
        licence = None if self.tags is None else {"tags": self.tags}
        if "exportedEvents" in query:
            telemetry: dict[str, Any] = {"exportedEvents": {"nodes": self.exported[:50]}}
            if "eventsQueuedForExport" in query:
                telemetry["eventsQueuedForExport"] = {"nodes": self.queued[:50]}
            return {"telemetry": telemetry}
        if "productSubscription" in query:
            return {"site": {"productSubscription": {"license": licence}}}
        if "licenseInfo" in query:
            return {"site": {"configuration": {"licenseInfo": licence}}}
        return {
            "site": {
                "productVersion": self.version,
                "allowSiteSettingsEdits": not self.has_site_config_file,
                "configuration": {"id": self.id, "effectiveContents": self.contents},
            }
        }

    # The names are those of the mutation's variables.
    def _update(self, lastID: int, input: str) -> web.Response:  # noqa: A002, N803
        if self.has_site_config_file:
            return _refused("updating site configuration not allowed when using SITE_CONFIG_FILE")
        if not input.strip():
            return _refused("blank site configuration is invalid")
        if self.meddlers:
            self.meddlers -= 1
            self.id += 1
            self.contents = self.contents.rstrip() + f"\n// changed by somebody else, {self.id}\n"
        if lastID != self.id and self.races:
            text = "someone else has already applied a newer edit"
            return _refused(f"ConfStore.SiteCreateIfUpToDate: {text}")
        if lastID != self.id:
            return _refused("site config has been modified by another request, write not allowed")
        self.id += 1
        self.contents = input
        return _json({"data": {"updateSiteConfiguration": False}})


def _event(**payload: Any) -> dict[str, Any]:
    return {
        "id": "00000000-0000-4000-8000-000000000004",
        "timestamp": "2026-11-20T08:00:00Z",
        "feature": "search",
        "action": "submit",
        "source": {"server": {"version": "5.6.185"}},
        "parameters": {"version": 1, "metadata": {"matches": 3}},
        **payload,
    }


def _json(content: Any) -> web.Response:
    return web.Response(body=json.dumps(content).encode(), content_type="application/json")


def _refused(message: str) -> web.Response:
    # The answer to an error in a resolver is a good one by its status.
    return _json({"data": None, "errors": [{"message": message, "path": ["site"]}]})
