"""Why the API server of a cluster gave no answer, in the words of who has to mend it.

No text has what an answer said, but for RBAC, or what a library says of its connection: an address
of a proxy may have a password in it.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from fleet_telemetry.certificate_faults import CertificateFault, certificate_fault
from fleet_telemetry.kube.client import NOT_A_LIST, ApiError

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call gave nothing, and what to do."""

    what: str
    advice: str
    is_final: bool = False
    """Nothing else of the cluster can be read either."""
    may_pass: bool = False
    """The same call may succeed a moment later."""
    is_forbidden: bool = False
    is_absent: bool = False
    """The kind is not served."""


_LOG_IN = "log in again, or get new credentials; kubectl with the same context shows the same error"
_UNREACHABLE = "see that the cluster runs and that this network, VPN or proxy leads to it"
_CERTIFICATE = {
    CertificateFault.EXPIRED: "has expired",
    CertificateFault.WRONG_NAME: "is for another name",
    CertificateFault.NOT_TRUSTED: "is signed by nobody whom the kubeconfig trusts",
}


def failure_of(error: ApiError, server: str) -> Failure:
    """What an error of a call to ``server`` is about."""
    status = error.status
    if status == 0:
        return _without_answer(error, server)
    if status == HTTPStatus.UNAUTHORIZED:
        what = f"the API server {server} rejects the credentials: they are wrong or have expired"
        return Failure(what, _LOG_IN, is_final=True)
    if status == HTTPStatus.FORBIDDEN:
        return Failure(
            "RBAC does not allow it",
            "ask for the rights in docs/audit-clusters.md, or name other namespaces with -n",
            is_forbidden=True,
        )
    if status == HTTPStatus.NOT_FOUND:
        what = f"the server {server} does not serve it"
        return Failure(
            what,
            "see that the server in the kubeconfig is a Kubernetes API server",
            is_absent=True,
        )
    if status == HTTPStatus.GONE:
        what = "the list took longer than the API server keeps it"
        return Failure(what, "try again, or read one namespace at a time with -n")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        what = f"the API server {server} accepts no more requests at the moment"
        return Failure(what, "try again later", may_pass=True)
    if status >= _SERVER_ERROR:
        what = f"the API server {server} has an error of its own (HTTP status {status})"
        return Failure(what, "try again; the log of the API server has more", may_pass=True)
    what = f"the API server {server} refuses the request (HTTP status {status})"
    return Failure(what, "see that the server is a Kubernetes API server of a supported version")


def _without_answer(error: ApiError, server: str) -> Failure:
    cause = error.__cause__
    if error.reason == NOT_A_LIST:
        what = f"what answers at {server} is not a Kubernetes API server"
        return Failure(
            what, "correct the server in the kubeconfig; a proxy may be between", is_final=True
        )
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        found = cause.certificate_error
        fault = (
            certificate_fault(found)
            if isinstance(found, ssl.SSLCertVerificationError)
            else CertificateFault.NOT_TRUSTED
        )
        return Failure(
            f"the certificate of {server} {_CERTIFICATE[fault]}",
            "correct certificate-authority, server or tls-server-name in the kubeconfig",
            is_final=True,
        )
    if isinstance(cause, aiohttp.ClientSSLError | ssl.SSLError):
        return Failure(
            f"what answers at {server} does not speak TLS as expected, or refuses the client's "
            "certificate",
            "correct the server or the client certificate in the kubeconfig",
            is_final=True,
        )
    if isinstance(cause, TimeoutError):
        return Failure(f"{server} did not answer in time", _UNREACHABLE)
    if isinstance(cause, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return Failure(
            f"the proxy to {server} lets nothing through",
            "correct proxy-url in the kubeconfig, or the variables HTTPS_PROXY and NO_PROXY",
            is_final=True,
        )
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return Failure(f"the name of {server} is not known", _UNREACHABLE, is_final=True)
    if isinstance(cause, aiohttp.InvalidURL):
        return Failure(
            f"the server {server} is not a URL",
            "correct the server in the kubeconfig",
            is_final=True,
        )
    if isinstance(cause, aiohttp.ClientResponseError):
        what = f"what answers at {server} does not speak HTTP as expected"
        return Failure(what, "correct the server in the kubeconfig", is_final=True)
    if isinstance(cause, aiohttp.ClientConnectorError):
        why = f" ({os.strerror(cause.errno)})" if cause.errno and cause.errno > 0 else ""
        return Failure(f"{server} accepts no connection{why}", _UNREACHABLE, may_pass=True)
    return Failure(f"the connection to {server} broke", _UNREACHABLE, may_pass=True)
