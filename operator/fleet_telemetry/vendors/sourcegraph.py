"""Sourcegraph: pings by the site configuration, events by the licence.

Read in sourcegraph/sourcegraph-public-snapshot (main, about 5.6; later code is closed):

- ``cmd/frontend/graphqlbackend/site.go``: the configuration's id and redacted contents, who may
  read and change them, and when a change is refused.
- ``cmd/frontend/graphqlbackend/telemetry.go`` and ``cmd/frontend/internal/telemetry/resolvers``:
  events that were exported, newest first, with their time and payload.
- ``internal/conf/computed.go`` and ``internal/updatecheck/client.go``: pings are sent while
  ``update.channel`` is "release", which it is where it is not set.
- ``internal/database/conf.go`` and ``cmd/frontend/internal/cli/config.go``: a change based on an
  outdated id is refused, with either of two sentences.
- ``cmd/frontend/graphqlbackend/product_subscription_status.go``: the licence's tags.

Read in sourcegraph/docs at 00073205, ``docs/admin/pings.mdx``: from about 7.1 on the setting has no
effect. ``eventsQueuedForExport`` is there from 7.0.2178 on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.version import Version
from fleet_telemetry.vendors import jsonc
from fleet_telemetry.vendors.http import Answer, VendorApi, VendorError
from fleet_telemetry.vendors.inventory import names_of
from fleet_telemetry.vendors.protocol import Credentials, InstanceReport, header_secret

_CHANNEL = "update.channel"
_ROUNDS = 4
"""Of reading and writing while others write too."""
_WITHOUT_EFFECT = Version.parse("7.1.0-dev")
_SINCE_EVENTS = Version.parse("5.2.1")
_SINCE_QUEUE = Version.parse("7.0.2178")
_AIR_GAPPED = "allow-air-gapped"
_CODY_ONLY = "disable-telemetry-events-export"
_VERSION = re.compile(
    r"(?:[\w-]{1,40}_\d{4}-\d\d-\d\d_)?([0-9]{1,4}(?:\.[0-9]{1,9}){1,3})(?:[-+][0-9a-z.]{1,40})?",
    re.ASCII,
)
_MOST_ERRORS = 16
_LONGEST_ERROR = 1024
_REMEDY = (
    f"From about 7.1 on {_CHANNEL} has no effect. Ask Sourcegraph for a licence with the tag"
    f" {_AIR_GAPPED} (sends nothing) or {_CODY_ONLY} (sends Cody events only), and deny the hosts"
    f" by egress."
)

_SITE_QUERY = (
    "query FleetTelemetrySite { site { productVersion allowSiteSettingsEdits"
    " configuration { id effectiveContents } } }"
)
_LICENCE_QUERIES = (
    "query FleetTelemetryLicence { site { productSubscription { license { tags } } } }",
    "query FleetTelemetryLicence { site { configuration { licenseInfo { tags } } } }",
)
_EVENTS = "exportedEvents(first: 50) { nodes { exportedAt payload } }"
_QUEUE = "eventsQueuedForExport(first: 50) { nodes { payload } }"
_UPDATE = (
    "mutation FleetTelemetryUpdate($lastID: Int!, $input: String!)"
    " { updateSiteConfiguration(lastID: $lastID, input: $input) }"
)


class Sourcegraph:
    """Reads and writes ``update.channel`` of the site configuration, and reads the exported events.

    The token must be a site administrator's. The setting is that of pings. Events have no switch in
    this API; they are reported in the note.
    """

    keys: tuple[str, ...] = ("token",)
    settable = True
    per_pod = False

    async def read(self, api: VendorApi, credentials: Credentials) -> InstanceReport:
        """Read the setting of pings, and the events."""
        ask = _GraphQL(api, header_secret(credentials, "token"))
        site = await ask.site()
        events = await ask.events(site.version)
        tags = await ask.tags()
        setting, enforceable = _setting(site, is_air_gapped=_AIR_GAPPED in tags)
        notes = [] if enforceable else [_REMEDY]
        if _AIR_GAPPED in tags:
            notes.append(f"The licence has the tag {_AIR_GAPPED}.")
            if events.exported and setting is Setting.DISABLED:
                setting = Setting.UNKNOWN
                notes.append("All the same it lists events that it exported within a day.")
        elif _CODY_ONLY in tags:
            notes.append(f"The licence has the tag {_CODY_ONLY}, which leaves Cody's events.")
        if events.queued:
            notes.append("Events wait to be exported.")
        if not site.is_editable:
            notes.append(f"Its configuration comes from a file: {_CHANNEL} is to be set there.")
        inventory, more = names_of(events.payloads)
        return InstanceReport(
            setting=setting,
            version=site.version_text or None,
            last_submission=max(events.exported, default=None),
            inventory=inventory,
            enforceable=enforceable,
            note=" ".join(filter(None, [*notes, events.note, more])),
        )

    async def write(self, api: VendorApi, credentials: Credentials, desired: Submission) -> None:
        """Set the property in the configuration's text as it is, comments and REDACTED secrets
        included; the product puts the secrets back."""
        ask = _GraphQL(api, header_secret(credentials, "token"))
        channel = "release" if desired is Submission.ENABLED else "none"
        for _ in range(_ROUNDS):
            site = await ask.site()
            if site.version is not None and site.version >= _WITHOUT_EFFECT:
                raise VendorError(Reason.NO_EFFECTIVE_SWITCH, f"{api.endpoint}: {_REMEDY}")
            if (site.channel or "release") == channel:
                return
            if not site.is_editable:
                raise _not_settable(api)
            changed = await asyncio.to_thread(jsonc.set_string, site.contents, _CHANNEL, channel)
            if await ask.update(site.id, changed):
                return
        text = f"{api.endpoint}: others changed the site configuration {_ROUNDS} times meanwhile"
        raise VendorError(Reason.VENDOR_ERROR, text)


@dataclass(frozen=True, slots=True)
class _Site:
    id: int
    contents: str = field(repr=False)
    channel: Any = field(repr=False)
    """As it is written; None if it is not set."""
    version_text: str
    version: Version | None
    is_editable: bool


@dataclass(frozen=True, slots=True)
class _Events:
    exported: tuple[datetime, ...] = ()
    payloads: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    queued: bool = False
    note: str = ""


def _setting(site: _Site, *, is_air_gapped: bool) -> tuple[Setting, bool]:
    """The setting of pings, and whether it can be changed."""
    if site.version is not None and site.version >= _WITHOUT_EFFECT:
        return (Setting.DISABLED, True) if is_air_gapped else (Setting.UNKNOWN, False)
    if site.channel in (None, "", "release"):
        return Setting.ENABLED, True
    if site.channel == "none" and (site.version is not None or is_air_gapped):
        return Setting.DISABLED, True
    return Setting.UNKNOWN, True


def _version(text: object) -> tuple[str, Version | None]:
    """Of a release, or of a build between two: 293671_2024-09-18_5.6-f00ba4."""
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return (match[1], Version.parse(match[1])) if match else ("", None)


@dataclass(frozen=True, slots=True)
class _GraphQL:
    """GraphQL with a token."""

    api: VendorApi
    token: str = field(repr=False)

    async def site(self) -> _Site:
        """Version and configuration."""
        answer, data = await self._post(_SITE_QUERY)
        site = _dig(data, "site")
        configuration = _dig(site, "configuration")
        number, contents = configuration.get("id"), configuration.get("effectiveContents")
        is_editable = site.get("allowSiteSettingsEdits")
        if (
            not isinstance(number, int)
            or not isinstance(contents, str)
            or not isinstance(is_editable, bool)
        ):
            raise answer.unexpected("where the site configuration was expected")
        try:
            # In a thread: the scanner is written in Python.
            properties = await asyncio.to_thread(jsonc.loads, contents)
        except ValueError:
            text = "whose site configuration cannot be read"
            raise answer.unexpected(text) from None
        if any(name != _CHANNEL and name.casefold() == _CHANNEL for name in properties):
            # Go's encoding/json takes names in any case, and the last one counts.
            raise answer.unexpected(f"whose site configuration has {_CHANNEL} in another case")
        version_text, version = _version(site.get("productVersion"))
        channel = properties.get(_CHANNEL)
        return _Site(number, contents, channel, version_text, version, is_editable)

    async def events(self, version: Version | None) -> _Events:
        """What was exported within a day, and what waits; as far as this version shows it."""
        if version is not None and version < _SINCE_EVENTS:
            return _Events()
        shown = [_EVENTS]
        if version is None or version >= _SINCE_QUEUE:
            shown = [f"{_EVENTS} {_QUEUE}", _EVENTS]
        data = await self._optional(
            f"query FleetTelemetryEvents {{ telemetry {{ {fields} }} }}" for fields in shown
        )
        if data is None:
            return _Events(note="It does not show what it exports.")
        exported = _nodes(data, "exportedEvents")
        queued = _nodes(data, "eventsQueuedForExport")
        payloads = (node.get("payload") for node in [*exported, *queued])
        return _Events(
            exported=tuple(filter(None, (_time(node.get("exportedAt")) for node in exported))),
            payloads=tuple(payload for payload in payloads if isinstance(payload, dict)),
            queued=bool(queued),
        )

    async def tags(self) -> frozenset[str]:
        """The relevant tags of the licence, as far as this version returns them."""
        data = await self._optional(iter(_LICENCE_QUERIES))
        site = _dig(data or {}, "site")
        licence = _dig(_dig(site, "productSubscription"), "license") or _dig(
            _dig(site, "configuration"), "licenseInfo"
        )
        tags = licence.get("tags")
        known = tags if isinstance(tags, list) else []
        return frozenset(tag for tag in (_AIR_GAPPED, _CODY_ONLY) if tag in known)

    async def update(self, last_id: int, contents: str) -> bool:
        """Write the configuration; False if it was changed since it was read."""
        variables = {"lastID": last_id, "input": contents}
        try:
            answer, data = await self._post(_UPDATE, variables)
        except _OutdatedError:
            return False
        # It says whether some setting needs a restart. This one does not.
        if not isinstance(data.get("updateSiteConfiguration"), bool):
            raise answer.unexpected("where the outcome of the change was expected")
        return True

    async def _optional(self, queries: Iterator[str]) -> Mapping[str, Any] | None:
        """The answer to the first query that this version understands."""
        for query in queries:
            try:
                return (await self._post(query))[1]
            except VendorError as error:
                if error.reason is not Reason.API_NOT_FOUND:
                    return None
        return None

    async def _post(
        self, query: str, variables: Mapping[str, Any] | None = None
    ) -> tuple[Answer, Mapping[str, Any]]:
        answer = await self.api.request(
            "POST",
            "/.api/graphql",
            headers={"Authorization": f"token {self.token}"},
            content={"query": query, "variables": variables or {}},
        )
        content = answer.check().json(dict)
        if content.get("errors"):
            raise _refusal(answer, content["errors"], self.api)
        data = content.get("data")
        if not isinstance(data, dict):
            raise answer.unexpected("where the data of GraphQL was expected")
        return answer, data


class _OutdatedError(VendorError):
    """The change was based on an outdated configuration."""


def _refusal(answer: Answer, errors: object, api: VendorApi) -> VendorError:
    """The error for GraphQL errors. Their texts are matched and never shown: they may quote
    secrets."""
    listed = errors[:_MOST_ERRORS] if isinstance(errors, list) else []
    messages = (one.get("message") for one in listed if isinstance(one, dict))
    text = "\n".join(one[:_LONGEST_ERROR] for one in messages if isinstance(one, str))
    if "SITE_CONFIG_FILE" in text:
        return _not_settable(api)
    for phrases, kind, reason, why in _REFUSALS:
        if any(phrase in text for phrase in phrases):
            return kind(reason, f"{answer.what} answered {why}")
    return VendorError(Reason.VENDOR_ERROR, f"{answer.what} answered with an error of its own")


_REFUSALS: tuple[tuple[tuple[str, ...], type[VendorError], Reason, str], ...] = (
    (
        ("modified by another request", "already applied a newer edit"),
        _OutdatedError,
        Reason.VENDOR_ERROR,
        "that the site configuration was changed meanwhile",
    ),
    (
        ("must be site admin", "must be authenticated as"),
        VendorError,
        Reason.PERMISSION_MISSING,
        "that the token has to be a site administrator's",
    ),
    (
        ("not authenticated",),
        VendorError,
        Reason.CREDENTIALS_REJECTED,
        "that it takes the request for anonymous",
    ),
    (
        ("Cannot query field", "Unknown argument"),
        VendorError,
        Reason.API_NOT_FOUND,
        "that it has no such field",
    ),
)


def _not_settable(api: VendorApi) -> VendorError:
    text = (
        f"{api.endpoint}: the site configuration comes from SITE_CONFIG_FILE; set {_CHANNEL} there"
    )
    return VendorError(Reason.NOT_SETTABLE, text)


def _dig(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in an object; empty where there is none."""
    inner = content.get(name)
    return inner if isinstance(inner, dict) else {}


def _nodes(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    nodes = _dig(_dig(data, "telemetry"), name).get("nodes")
    return [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []


def _time(value: object) -> datetime | None:
    try:
        when = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return None
    return when if when.tzinfo else None
