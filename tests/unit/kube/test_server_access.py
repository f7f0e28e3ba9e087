"""From a user and a cluster of a kubeconfig, or a service account, to requests."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kubeconfig import Access, KubeconfigError
from fleet_telemetry.kube.server_access import open_in_cluster, open_with

TOKEN = "t0k3n-of-somebody"  # a made-up one


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Server:
    """Records the requests, and answers each with an empty object."""

    def __init__(self, authority: trustme.CA | None = None, *names: str) -> None:
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self._authority = authority
        self._names = names or ("127.0.0.1",)
        self.url = ""

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        transport = request.transport
        assert transport is not None
        found = transport.get_extra_info("peercert") if self._authority else None
        return web.json_response({"metadata": {"name": "it"}, "certificate": bool(found)})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        context = None
        if self._authority is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._authority.issue_cert(*self._names).configure_cert(context)
            self._authority.configure_trust(context)
            context.verify_mode = ssl.CERT_OPTIONAL
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        try:
            port = runner.addresses[0][1]
            self.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
            yield self.url
        finally:
            await runner.cleanup()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def ask(
    server: Server,
    user: dict[str, Any] | None = None,
    path: str = "",
    **cluster: Any,
) -> dict[str, Any]:
    """One object, read from the server with this user."""

    async def main() -> dict[str, Any]:
        async with server.running() as url:
            access = Access({"server": url + path, **cluster}, user or {}, Path("/"))
            client = KubernetesClient(await open_with(access, "prod"))
            try:
                return await client.get(kinds.SECRET, "it", "shop")
            finally:
                await client.close()

    return asyncio.run(main())


def refusal(user: dict[str, Any], **cluster: Any) -> str:
    """What is said of a user and a cluster that cannot be used."""
    access = Access({"server": "https://127.0.0.1:1", **cluster}, user, Path("/"))
    with pytest.raises(KubeconfigError) as caught:
        asyncio.run(open_with(access, "prod"))
    assert TOKEN not in str(caught.value)
    assert caught.value.advice
    return caught.value.what


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({}, None),
        ({"token": TOKEN}, f"Bearer {TOKEN}"),
        ({"username": "me", "password": "pw"}, f"Basic {encoded(b'me:pw')}"),
        ({"token": TOKEN, "username": "me", "password": "pw"}, f"Bearer {TOKEN}"),
    ],
)
def test_the_header_of_a_user(user: dict[str, Any], expected: str | None) -> None:
    server = Server()
    ask(server, user)
    (request,) = server.requests
    assert request.headers.get("Authorization") == expected
    assert request.headers["User-Agent"].startswith("fleet-telemetry")
    assert request.headers["Accept"] == "application/json"


def test_a_token_file_is_preferred_to_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    server = Server()
    ask(server, {"token": "old", "tokenFile": str(tmp_path / "token")})
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_path_of_a_server_behind_a_proxy_comes_first() -> None:
    server = Server()
    ask(server, path="/k8s/clusters/c-1/")
    assert server.requests[0].path == "/k8s/clusters/c-1/api/v1/namespaces/shop/secrets/it"


def test_a_user_who_acts_as_another_one() -> None:
    server = Server()
    extra = {"scopes": ["view", "edit"], "acme.com/project": ["p"]}
    user = {"as": "ann", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": extra}
    ask(server, user)
    headers = server.requests[0].headers
    assert headers["Impersonate-User"] == "ann"
    assert headers["Impersonate-Uid"] == "7"
    assert headers.getall("Impersonate-Group") == ["a", "b"]
    assert headers.getall("Impersonate-Extra-scopes") == ["view", "edit"]
    assert headers["Impersonate-Extra-acme.com%2Fproject"] == "p"


def test_the_authority_and_the_certificate_as_data(authority: trustme.CA) -> None:
    issued = authority.issue_cert("me@example.com")
    user = {
        "client-certificate-data": encoded(issued.cert_chain_pems[0].bytes()),
        "client-key-data": encoded(issued.private_key_pem.bytes()),
    }
    known = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    assert ask(Server(authority), user, **known)["certificate"]
    assert not ask(Server(authority), **known)["certificate"]


def test_the_authority_and_the_certificate_in_files(authority: trustme.CA, tmp_path: Path) -> None:
    # A bundle may have comments in any language.
    bundle = "# Autorité\n".encode() + authority.cert_pem.bytes()
    (tmp_path / "ca.crt").write_bytes(bundle)
    issued = authority.issue_cert("me@example.com")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    user = {"client-certificate": str(tmp_path / "me.pem")}
    known = {"certificate-authority": str(tmp_path / "ca.crt")}
    assert ask(Server(authority), user, **known)["certificate"]
    known = {"certificate-authority-data": encoded(bundle)}
    assert not ask(Server(authority), **known)["certificate"]


def test_a_server_with_another_certificate_is_not_asked(authority: trustme.CA) -> None:
    known = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    for names, cluster in (
        (("127.0.0.1",), {}),
        (("127.0.0.1",), {"insecure-skip-tls-verify": "false"}),
        (("api.example.com",), known),
    ):
        server = Server(authority, *names)
        with pytest.raises(ApiError, match="no response from the API server"):
            ask(server, {"token": TOKEN}, **cluster)
        assert server.requests == []


def test_the_name_of_the_server_and_no_verification(authority: trustme.CA) -> None:
    known = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    named = Server(authority, "api.example.com")
    assert ask(named, **known, **{"tls-server-name": "api.example.com"})
    assert ask(Server(authority), **{"insecure-skip-tls-verify": True})


def encrypted_key(authority: trustme.CA) -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization as s  # noqa: PLC0415

    issued = authority.issue_cert("me@example.com")
    key = s.load_pem_private_key(issued.private_key_pem.bytes(), None)
    pem = key.private_bytes(
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"secret")
    )
    return {
        "client-certificate-data": encoded(issued.cert_chain_pems[0].bytes()),
        "client-key-data": encoded(pem),
    }


def test_the_password_of_a_key_is_not_asked_for(authority: trustme.CA) -> None:
    said = refusal(encrypted_key(authority))
    assert "the certificates or the key of context 'prod' cannot be used" in said


@pytest.mark.parametrize(
    "server",
    [
        "https://",
        "https://:6443",
        "https://host:port",
        "https://host:99999",
        "https://[::1",
        f"https://me:{TOKEN}@host",
        "https://host\n",
        "https://a host",
        "https://host?a=b",
        "https://host#a",
    ],
)
def test_a_server_that_is_no_url(server: str) -> None:
    assert "is no URL of an API server" in refusal({}, server=server)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "127.0.0.1:3128", "file:///x"])
def test_a_proxy_of_another_kind(proxy: str) -> None:
    assert "does not begin with http:// or https://" in refusal({}, **{"proxy-url": proxy})


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"token": f"{TOKEN}\n{TOKEN}"}, "the token of context 'prod' holds no token"),
        ({"token": 12345}, "token of the user of context 'prod' is no text"),
        ({"client-key-data": ["x"]}, "client-key-data of the user"),
        ({"tokenFile": "/"}, "the file in tokenFile of context 'prod' holds no token"),
        ({"as": f"{TOKEN}\n"}, "other characters than ASCII"),
        ({"as": "ann", "as-groups": ["gruppe ä"]}, "other characters than ASCII"),
        ({"as-groups": ["admins"]}, "but not as"),
        ({"as-user-extra": {"a": ["b"]}}, "but not as"),
        ({"auth-provider": {"name": "oidc"}}, "by the auth-provider 'oidc'"),
    ],
)
def test_a_user_that_cannot_be_used(user: dict[str, Any], said: str) -> None:
    assert said in refusal(user)


def pod(authority: trustme.CA, folder: Path) -> Path:
    (folder / "ca.crt").write_bytes(authority.cert_pem.bytes())
    (folder / "token").write_text(TOKEN)
    return folder


def surroundings(host: str = "10.0.0.1", port: str = "443") -> dict[str, str]:
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}


def test_the_service_account_of_a_pod(authority: trustme.CA, tmp_path: Path) -> None:
    folder = pod(authority, tmp_path)
    assert open_in_cluster(folder, surroundings()).server == "https://10.0.0.1:443"
    assert open_in_cluster(folder, surroundings("fd00::1")).server == "https://[fd00::1]:443"
    server = Server(authority)

    async def main() -> None:
        async with server.running() as url:
            port = url.rpartition(":")[2]
            client = KubernetesClient(open_in_cluster(folder, surroundings("127.0.0.1", port)))
            await client.get(kinds.SECRET, "it", "shop")
            await client.close()

    asyncio.run(main())
    assert server.requests[0].headers["Authorization"] == f"bearer {TOKEN}"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "ca.crt").unlink(),
        lambda folder: (folder / "ca.crt").write_text("none"),
        lambda folder: (folder / "token").unlink(),
        lambda folder: (folder / "token").write_text(""),
    ],
)
def test_a_pod_without_a_service_account(
    authority: trustme.CA, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(pod(authority, tmp_path))
    with pytest.raises(KubeconfigError, match="no service account that can be used"):
        open_in_cluster(tmp_path, surroundings())


@pytest.mark.parametrize("given", [{}, surroundings(port=""), surroundings(port="tcp://x:443")])
def test_without_the_variables_it_is_no_pod(
    authority: trustme.CA, tmp_path: Path, given: dict[str, str]
) -> None:
    with pytest.raises(KubeconfigError, match="no service account that can be used"):
        open_in_cluster(pod(authority, tmp_path), given)
