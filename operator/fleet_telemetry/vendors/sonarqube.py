"""SonarQube Server and Community Build.

Read in org.sonarsource.sonarqube:sonar-application 25.6.0.109173, and run: ``GET api/system/info``
gives the effective settings; ``api/settings`` refuses to read or set this one ("can only be used in
sonar.properties"). Read in SonarSource/sonarqube at 0f33764b,
``sonar-plugin-api/.../Configuration.java``: only "true" is true.

Which form of the token: docs.sonarsource.com, "Web API" of 9.9 (user name of basic authentication)
and of 10.0 (bearer).
"""

from __future__ import annotations

import base64
import re

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.vendors.http import SMALL_ANSWER, VendorApi, VendorError
from fleet_telemetry.vendors.protocol import Credentials, InstanceReport, header_secret

_ENABLE = "sonar.telemetry.enable"
_STATES = ("STARTING", "DOWN", "RESTARTING", "DB_MIGRATION_NEEDED", "DB_MIGRATION_RUNNING")
_FIRST_WITH_BEARER = 10
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,10}){1,4}")


class SonarQube:
    """Reads the effective ``sonar.telemetry.enable``. The token must be a system administrator's.

    SonarQube reads the setting only at its start. Its API neither changes it nor reports the value
    of the next start. So if the pod template has the desired setting and the server reports another
    one, a restart is needed; the caller knows the template and decides this.
    """

    keys: tuple[str, ...] = ("token",)
    settable = False
    per_pod = False

    async def read(self, api: VendorApi, credentials: Credentials) -> InstanceReport:
        """Read the setting of the running server."""
        token = header_secret(credentials, "token")
        version = await _version(api)
        answer = await api.request("GET", "/api/system/info", headers=_headers(token, version))
        info = answer.check().json(dict)
        settings = info.get("Settings")
        if not isinstance(settings, dict):
            raise answer.unexpected("where the system's Settings were expected")
        value = settings.get(_ENABLE)
        if value is not None and not isinstance(value, str):
            raise answer.unexpected(f"where {_ENABLE} was expected to be a text")
        setting, note = _setting(value)
        return InstanceReport(setting=setting, version=version, note=note)

    async def write(self, api: VendorApi, credentials: Credentials, desired: Submission) -> None:
        """Never called, because the setting cannot be changed at run time."""
        del credentials
        text = (
            f"{api.endpoint}: {_ENABLE} = {desired} can be set at the start only,"
            " by the pod template"
        )
        raise VendorError(Reason.RESTART_NEEDED, text)


def _headers(token: str, version: str) -> dict[str, str]:
    if int(version.partition(".")[0]) >= _FIRST_WITH_BEARER:
        return {"Authorization": f"Bearer {token}"}
    user = base64.b64encode(f"{token}:".encode()).decode()
    return {"Authorization": f"Basic {user}"}


def _setting(value: str | None) -> tuple[Setting, str]:
    """Only "true" is true, trimmed and in any case; a blank one was replaced by the default before
    it came here."""
    text = (value or "").strip().lower()
    if not text:
        return Setting.UNKNOWN, f"Its system information does not show {_ENABLE}."
    return (Setting.ENABLED if text == "true" else Setting.DISABLED), ""


async def _version(api: VendorApi) -> str:
    """Read without credentials, so that the token is sent only to a SonarQube that is up. Raises
    VendorError otherwise."""
    answer = (await api.request("GET", "/api/system/status", largest=SMALL_ANSWER)).check()
    about = answer.json(dict)
    status, version = about.get("status"), about.get("version")
    if status in _STATES:
        text = f"{answer.what}: SonarQube is not up, it says {status}"
        raise VendorError(Reason.UNREACHABLE, text)
    if status != "UP" or not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise answer.unexpected("where SonarQube's status was expected")
    return version
