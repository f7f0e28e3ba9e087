"""What is said when a command needs packages that only the operator's processes have."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_PROJECT = "fleet-telemetry-operator"
MODULES = (
    "cryptography",
    "dns",
    "dnstap_pb",
    "httpx",
    "kopf",
    "prometheus_client",
    "pythonjsonlogger",
    *(() if sys.platform == "win32" else ("uvloop",)),
)
"""What the packages of the extra ``operator`` are imported as."""
_WANTED = f"{_PROJECT}[operator]"


@contextmanager
def operator_packages(command: str) -> Iterator[None]:
    """Around the imports that need the extra ``operator``. Ends the process with a sentence if one
    of its packages is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "fleet_telemetry"):
            raise  # a fault of ours
        missing = sorted({package, *_missing()})
        verb = "is" if len(missing) == 1 else "are"
        sys.exit(
            f"fleet-telemetry: `{command}` needs the packages of the operator, and "
            f"{', '.join(missing)} {verb} not installed; {_advice(Path(sys.prefix), _origin())}"
        )


def _missing() -> Iterator[str]:
    """Those that cannot be found, without importing any."""
    from importlib.util import find_spec  # noqa: PLC0415  # only this sentence needs it

    yield from (name for name in MODULES if find_spec(name) is None)


def _origin() -> Mapping[str, Any] | None:
    """Where this package was installed from, as PEP 610 says it; None if nothing says it."""
    from importlib import metadata  # noqa: PLC0415  # 50 ms that only this sentence is worth

    try:
        text = metadata.distribution(_PROJECT).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    found = json.loads(text) if text else None
    return found if isinstance(found, dict) else None


def _advice(prefix: Path, origin: Mapping[str, Any] | None) -> str:
    """The command that installs this package again, from where it came, with the extra."""
    # A name alone may belong to somebody else in a registry.
    if origin is None:
        return f"install this package as {_WANTED}, or use the operator's image"
    if (prefix / "pipx_metadata.json").exists():
        start = "pipx install --force"
    elif (prefix / "uv-receipt.toml").exists():
        start = "uv tool install --force"
    else:
        start = f"{shlex.quote(str(prefix / 'bin' / 'python'))} -m pip install"
    return f"install them with: {' '.join([start, *map(shlex.quote, _requirement(origin))])}"


def _requirement(origin: Mapping[str, Any]) -> list[str]:
    """The arguments that name the package to an installer."""
    url = str(origin.get("url", ""))
    if origin.get("dir_info", {}).get("editable"):
        return ["--editable", f"{unquote(urlsplit(url).path)}[operator]"]
    if source := origin.get("vcs_info"):
        url = f"{source['vcs']}+{url}@{source['commit_id']}"
    if folder := origin.get("subdirectory"):
        url += f"#subdirectory={folder}"
    return [f"{_WANTED} @ {url}"]
