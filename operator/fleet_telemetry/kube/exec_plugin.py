"""Credentials from a plug-in that a kubeconfig names (``exec``), as kubectl gets them.

What a plug-in writes is never part of a message of ours: it may be a token. On a terminal its
standard error goes there, as with kubectl, because it may ask a person to log in. Elsewhere, such
as in the log of a CI job, it is dropped.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleet_telemetry.kube.kubeconfig import Access, KubeconfigError
from fleet_telemetry.objects.manifest import Manifest, items_at, list_at, mapping_at, text_at

_SECONDS = 60.0
_SECONDS_FOR_A_PERSON = 600.0
_LARGEST_BYTES = 2**20
_OF_CLUSTER = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
)
_EXTENSION = "client.authentication.k8s.io/exec"


async def credentials_of_plugin(access: Access) -> dict[str, Any]:
    """The user's fields with the credentials in place of the plug-in. Raises KubeconfigError."""
    plugin = mapping_at(access.user, "exec")
    name = text_at(plugin, "command")
    api_version = text_at(plugin, "apiVersion")
    if not name or not api_version:
        raise KubeconfigError(
            "the exec section of the kubeconfig's user has no command or no apiVersion",
            "add it there",
        )
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    if text_at(plugin, "interactiveMode") == "Always" and not is_terminal:
        raise KubeconfigError(
            f"the credential plug-in {name!r} needs a terminal", "run the command on a terminal"
        )
    output = await _run(plugin, access, interactive=is_terminal, seconds=_limit(is_terminal))
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    if text_at(answer, "kind") != "ExecCredential":
        raise _failure(name, "it wrote no ExecCredential")
    if text_at(answer, "apiVersion") != api_version:
        raise _failure(name, f"it wrote another version than {api_version}")
    status = mapping_at(answer, "status")
    found = dict(_credentials(status))
    if not found:
        raise _failure(name, "it wrote neither a token nor a certificate with its key")
    rest = {key: value for key, value in access.user.items() if key != "exec"}
    return {**rest, **found}


def _limit(is_terminal: bool) -> float:  # noqa: FBT001  # one argument
    return _SECONDS_FOR_A_PERSON if is_terminal else _SECONDS


def _credentials(status: Manifest) -> Iterator[tuple[str, str]]:
    token = text_at(status, "token")
    if token:
        yield "token", token
    certificate, key = (text_at(status, f"client{one}Data") for one in ("Certificate", "Key"))
    if certificate and key:
        yield "client-certificate-data", base64.b64encode(certificate.encode()).decode()
        yield "client-key-data", base64.b64encode(key.encode()).decode()


async def _run(plugin: Manifest, access: Access, *, interactive: bool, seconds: float) -> bytes:
    """What the plug-in writes to standard output."""
    name = text_at(plugin, "command")
    # As kubectl: a path is relative to the kubeconfig, a name alone is looked up in PATH.
    command = str(access.folder.absolute() / Path(name)) if os.sep in name else name
    words = [str(word) for word in list_at(plugin, "args")]
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *words,
            env=_environment(plugin, access, interactive=interactive),
            stdin=None if interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if interactive and sys.stderr.isatty() else asyncio.subprocess.DEVNULL,
        )
    except (OSError, ValueError) as error:
        hint = text_at(plugin, "installHint")
        why = getattr(error, "strerror", None) or type(error).__name__
        raise KubeconfigError(
            f"the credential plug-in {name!r} cannot be started: {why}",
            hint or "install it, or correct its command in the kubeconfig",
        ) from None
    try:
        async with asyncio.timeout(seconds):
            assert process.stdout is not None, "it is a pipe"
            output = await _read(process.stdout, _LARGEST_BYTES + 1)
            if len(output) > _LARGEST_BYTES:
                raise _failure(name, f"it wrote more than {_LARGEST_BYTES} bytes")
            status = await process.wait()
    except TimeoutError:
        raise _failure(name, f"it did not end within {seconds:.0f} seconds") from None
    finally:
        # It kills the process, and closes the pipe, which a child of the process may keep open.
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  # nothing public does
        await process.wait()
    if status:
        raise _failure(name, f"it ended with status {status}")
    return output


async def _read(stream: asyncio.StreamReader, left: int) -> bytes:
    """A stream, up to a size; what is more is not read."""
    found = b""
    while left > 0 and (part := await stream.read(left)):
        found += part
        left -= len(part)
    return found


def _environment(plugin: Manifest, access: Access, *, interactive: bool) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.get("provideClusterInfo") is True:
        cluster = access.cluster
        own = {name: cluster[name] for name in _OF_CLUSTER if name in cluster}
        for extension in items_at(cluster, "extensions"):
            if extension.get("name") == _EXTENSION:
                own["config"] = extension.get("extension")
        spec["cluster"] = own
    info = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec}
    added = {text_at(one, "name"): text_at(one, "value") for one in items_at(plugin, "env")}
    return {**os.environ, **added, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _failure(name: str, why: str) -> KubeconfigError:
    return KubeconfigError(
        f"the credential plug-in {name!r} gave no credentials: {why}",
        "log in again; kubectl with the same context shows what the plug-in says",
    )
