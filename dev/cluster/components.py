"""The command lines of a cluster's components: everything listens on 127.0.0.1, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dev.cluster import paths
from dev.cluster.files import Layout

ETCD = "etcd"
APISERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"

# These write the pods' addresses into the API, which refuses loopback addresses there.
_CONTROLLERS_OFF = (
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
)
# Each watch cache takes time at the start, and again every second. These kinds are read from etcd
# instead: an API server starts with a third less work, and has half as much while nothing happens.
# What the operator watches is cached, as in any other cluster.
_NOT_CACHED = (
    "apiservices.apiregistration.k8s.io",
    "certificatesigningrequests.certificates.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "controllerrevisions.apps",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "csistoragecapacities.storage.k8s.io",
    "deviceclasses.resource.k8s.io",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io",
    "horizontalpodautoscalers.autoscaling",
    "ingressclasses.networking.k8s.io",
    "ingresses.networking.k8s.io",
    "ipaddresses.networking.k8s.io",
    "limitranges",
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets.policy",
    "podtemplates",
    "priorityclasses.scheduling.k8s.io",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    "resourceclaims.resource.k8s.io",
    "resourceclaimtemplates.resource.k8s.io",
    "resourcequotas",
    "resourceslices.resource.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "runtimeclasses.node.k8s.io",
    "servicecidrs.networking.k8s.io",
    "storageclasses.storage.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "volumeattachments.storage.k8s.io",
    "volumeattributesclasses.storage.k8s.io",
)


def commands(
    programs: Mapping[str, Path],
    layout: Layout,
    *,
    audit: bool,
    extra_apiserver_args: Iterable[str],
) -> dict[str, list[str]]:
    """Return the whole command of each of these programs."""
    arguments = {
        ETCD: _etcd(layout),
        APISERVER: [
            *_apiserver(layout),
            *(_auditing(layout) if audit else ()),
            *extra_apiserver_args,
        ],
        CONTROLLER_MANAGER: _controller_manager(layout),
        SCHEDULER: _scheduler(layout),
        KWOK: _kwok(layout),
    }
    return {name: [str(program), *arguments[name]] for name, program in programs.items()}


def _etcd(layout: Layout) -> list[str]:
    return [
        f"--data-dir={layout.etcd_data}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        # Nobody joins a throwaway member, so any port will do.
        "--listen-peer-urls=http://127.0.0.1:0",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(layout: Layout) -> list[str]:
    return [
        "--bind-address=127.0.0.1",
        # Without it, a machine that is on no network has no address to advertise.
        "--advertise-address=127.0.0.1",
        f"--secure-port={layout.slot.apiserver_port}",
        f"--cert-dir={layout.certificates}",
        f"--etcd-servers={layout.etcd_url}",
        f"--service-cluster-ip-range={layout.slot.service_cidr}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={layout.tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.signing_key}",
        f"--service-account-signing-key-file={layout.signing_key}",
        # It would write the API server's own address, again a loopback address that is refused.
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--watch-cache-sizes=" + ",".join(f"{name}#0" for name in _NOT_CACHED),
    ]


def _auditing(layout: Layout) -> list[str]:
    return [
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
    ]


def _controller_manager(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig(CONTROLLER_MANAGER)}",
        "--controllers=" + ",".join(["*", *(f"-{name}" for name in _CONTROLLERS_OFF)]),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={layout.signing_key}",
        f"--root-ca-file={layout.ca}",
        # The default of 20 requests a second makes tests with many objects wait.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def _scheduler(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig(SCHEDULER)}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def _kwok(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig(KWOK)}",
        f"--config={paths.STAGES}",
        f"--cidr={layout.slot.pod_cidr}",
        # Not 127.0.0.1, from which all processes of this machine send that choose no address.
        "--node-ip=127.0.0.2",
        "--node-lease-duration-seconds=40",
        "--manage-all-nodes=true",
    ]
