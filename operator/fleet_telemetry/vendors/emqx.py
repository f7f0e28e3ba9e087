"""EMQX, version 5 and later: every node has a setting of its own.

Read in emqx/emqx:

- v5.8.9 and 6.2.2, ``apps/emqx_telemetry/src/emqx_telemetry_api.erl``: the two paths; a PUT of what
  is set already is answered 400; the data is answered 404 while telemetry is off.
- v5.8.9 and 6.2.2, ``apps/emqx_telemetry/src/emqx_telemetry_config.erl``: what is read is what
  counts on that node; what is set is set for the whole cluster, until the next start.
- 6.2.2, ``apps/emqx_management/src/emqx_mgmt_api_nodes.erl``: versions and editions of the nodes;
  a key may be scoped so that it reads telemetry and not this.
- 6.2.2, ``apps/emqx_dashboard/src/emqx_dashboard.erl``: how credentials are refused; v5.8.9,
  ``apps/emqx_dashboard/src/emqx_dashboard_not_found.erl``: a path that is not there.
- e5.8.11, ``mix.exs``: enterprise builds from 5.1 to 5.8 leave the application out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.version import Version
from fleet_telemetry.vendors.http import SMALL_ANSWER, Answer, VendorApi, VendorError
from fleet_telemetry.vendors.inventory import names_of
from fleet_telemetry.vendors.protocol import Credentials, InstanceReport, header_secret
from fleet_telemetry.vendors.service import Endpoint

_STATUS = "/api/v5/telemetry/status"
_DATA = "/api/v5/telemetry/data"
_NODES = "/api/v5/nodes"
_KNOWN = re.compile(r"[0-9]{1,4}(\.[0-9A-Za-z-]{1,20}){1,5}|Opensource|Enterprise")
_LEFT_OUT = Version.parse("5.1.0"), Version.parse("5.9.0-dev")


class Emqx:
    """Reads and writes ``/telemetry/status`` of one node.

    The API key needs the role viewer to read and administrator to write. A key with scopes needs
    ``monitoring``, and ``cluster_operations`` for the version.
    """

    keys: tuple[str, ...] = ("apiKey", "apiSecret")
    settable = True
    per_pod = True

    async def read(self, api: VendorApi, credentials: Credentials) -> InstanceReport:
        """Read the effective setting of this node, and the names of the fields that it sends."""
        headers = _headers(credentials)
        answer = await api.request("GET", _STATUS, headers=headers, largest=SMALL_ANSWER)
        if answer.status == HTTPStatus.NOT_FOUND:
            return _without_telemetry(answer, await _node(api, headers))
        is_on = _enabled(answer.check())
        inventory: tuple[str, ...] = ()
        note = ""
        if is_on:
            try:
                inventory, note = await _inventory(api, headers)
            except VendorError:
                note = "It does not show what it sends."
        try:
            version = (await _node(api, headers)).get("version")
        except VendorError:
            version = None  # the setting is reported without a version
        return InstanceReport(
            setting=Setting.ENABLED if is_on else Setting.DISABLED,
            version=version,
            inventory=inventory,
            note=note,
        )

    async def write(self, api: VendorApi, credentials: Credentials, desired: Submission) -> None:
        """Set it for the whole cluster, if this node has another value."""
        headers = _headers(credentials)
        wanted = desired is Submission.ENABLED
        if (
            _enabled(
                (await api.request("GET", _STATUS, headers=headers, largest=SMALL_ANSWER)).check()
            )
            is wanted
        ):
            return
        answer = await api.request("PUT", _STATUS, headers=headers, content={"enable": wanted})
        if answer.status == HTTPStatus.BAD_REQUEST:
            word = "enabled" if wanted else "disabled"
            refusal = answer.json(dict)
            if refusal.get("message") == f"Telemetry status is already {word}":
                return  # somebody was faster
            if refusal.get("code") == "BAD_REQUEST":
                text = f"{answer.what} answered 400: the configuration was not changed"
                raise VendorError(Reason.VENDOR_ERROR, text)
        if _enabled(answer.check()) is not wanted:
            raise answer.unexpected(f"which does not say that telemetry is {desired} now")


def _headers(credentials: Credentials) -> dict[str, str]:
    key, secret = (header_secret(credentials, name) for name in Emqx.keys)
    if ":" in key:
        text = "the Secret has something under 'apiKey' that no header can hold"
        raise VendorError(Reason.SECRET_INCOMPLETE, text)
    return {"Authorization": f"Basic {base64.b64encode(f'{key}:{secret}'.encode()).decode()}"}


def _enabled(answer: Answer) -> bool:
    enable = answer.json(dict).get("enable")
    if not isinstance(enable, bool):
        raise answer.unexpected("where the status of telemetry was expected")
    return enable


async def _inventory(api: VendorApi, headers: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    answer = await api.request("GET", _DATA, headers=headers)
    if answer.status == HTTPStatus.NOT_FOUND:
        return (), ""  # it was turned off this moment
    return names_of([answer.check().json(dict)])


async def _node(api: VendorApi, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Version and edition of the node; if it cannot be identified, those that all running nodes of
    the
    cluster share. Raises VendorError."""
    answer = (await api.request("GET", _NODES, headers=headers)).check()
    nodes = answer.json(list)
    if not nodes or not all(isinstance(node, dict) for node in nodes):
        raise answer.unexpected("where an array of nodes was expected")
    own = [node for node in nodes if _is_at(node, api.endpoint)]
    some = own or [node for node in nodes if node.get("node_status") == "running"]
    values = {name: {_known(node.get(name)) for node in some} for name in ("version", "edition")}
    return {name: min(found) for name, found in values.items() if len(found) == 1 and min(found)}


def _is_at(node: Mapping[str, Any], endpoint: Endpoint) -> bool:
    name = node.get("node")
    place = name.partition("@")[2] if isinstance(name, str) else ""
    return place in (endpoint.address, endpoint.host)


def _known(value: Any) -> str:
    """A version or an edition; empty for another value, which could be our own credential."""
    return value if isinstance(value, str) and _KNOWN.fullmatch(value) else ""


def _without_telemetry(answer: Answer, node: Mapping[str, str]) -> InstanceReport:
    """The path does not exist: expected of an edition without the application, an error
    otherwise."""
    version = node.get("version", "")
    try:
        is_left_out = _LEFT_OUT[0] <= Version.parse(version) < _LEFT_OUT[1]
    except ValueError:
        is_left_out = False
    if not is_left_out or node.get("edition") != "Enterprise":
        text = f"{answer.what} answered 404: there is no telemetry application, or another API"
        raise VendorError(Reason.API_NOT_FOUND, text)
    return InstanceReport(
        setting=Setting.DISABLED,
        version=version,
        note="This edition leaves the telemetry application out.",
    )
