"""The chart as Helm renders it, and the values that the tests try."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from dev.cluster import binaries, toolchain
from dev.cluster.cluster import HelmProgram
from dev.cluster.processes import SHORT_LIVED
from dev.harness.operator import CHART, NAMESPACE, RELEASE

Manifest = dict[str, Any]
Values = Mapping[str, Any]
# The CRDs alone are 300 KiB.
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FAST):  # type: ignore[misc]
    """Refuses a key that is there twice, as kustomize does and Helm does not."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice at line {node.start_mark.line + 1}: {keys}"
        return super().construct_mapping(node, deep=deep)


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
FIXED_ADDRESS = "10.96.0.53"
"""Of a Service. A real API server takes only addresses of its own range."""
_EXTRA: Values = {
    "extraArgs": ["--log-level=debug"],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
    "extraContainers": [
        {
            "name": "proxy",
            "image": "registry.example/proxy:1",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
            }
        }
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "rack",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"a": "b"}},
        }
    ],
    "podLabels": {"team": "platform"},
    "podAnnotations": {"example.com/a": "b"},
    "serviceAccountAnnotations": {"example.com/role": "r"},
    "priorityClassName": "system-cluster-critical",
}
MATRIX: Mapping[str, Values] = {
    "defaults": {},
    "cert-manager": {"webhook": {"certificate": {"source": "CertManager"}}},
    "cert-manager-issuer": {
        "webhook": {
            "certificate": {
                "source": "CertManager",
                "secretName": "given",
                "certManager": {
                    "issuerRef": {"name": "corp", "kind": "PCA", "group": "awspca.example"}
                },
            }
        }
    },
    "existing-secret": {
        "webhook": {"certificate": {"source": "ExistingSecret", "secretName": "given"}}
    },
    "existing-secret-ca": {
        "webhook": {
            "certificate": {"source": "ExistingSecret", "secretName": "given", "ca": CERTIFICATE}
        }
    },
    "mirror": {
        "image": {
            "repository": "mirror.example/telemetry",
            "tag": "1.2.3",
            "pullPolicy": "Always",
        },
        "webhook": {"resources": {"limits": {"memory": "1Gi"}}},
        "metrics": {
            "serviceMonitor": {"enabled": True, "interval": "1m", "scrapeTimeout": "20s"},
            "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboards": {"enabled": True, "namespace": "b", "labels": {"dashboard": "1"}},
        },
        "reports": {"api": "Off"},
        "evidence": {"readConfigMaps": True},
        "logLevel": "debug",
        "networkPolicy": {"enabled": False},
        "observed": {"enabled": True},
    },
    "single": {
        "webhook": {"replicas": 1},
        "controller": {"replicas": 1},
        "observed": {"enabled": True, "networkPolicy": {"enabled": False}},
    },
    "chosen": {
        "nameOverride": "phone-home",
        "commonAnnotations": {"example.com/owner": "platform", "helm.sh/hook-weight": "5"},
        "clusterName": "prod-eu",
        "serviceAccount": {
            "create": False,
            "name": "given",
        },
        "image": {"pullSecrets": ["a", {"name": "b"}]},
        "global": {"imagePullSecrets": ["b", "c"]},
        "priorityClassName": "system-node-critical",
        "nodeSelector": {"pool": "infra"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 2,
                "topologyKey": "rack",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {},
            }
        ],
        "webhook": {
            "failurePolicy": "Fail",
            "timeoutSeconds": 10,
            "namespaceSelector": {
                "matchLabels": {"fleet": "production"},
                "matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["lab"]}],
            },
            "excludedNamespaces": ["ingress"],
            "httpPort": 8081,
            "dnsPolicy": "Default",
            "nodeSelector": {"pool": "front"},
        },
        "egress": {"onUninstall": "Remove"},
        "metrics": {
            "teamLabel": "example.com/team",
            "podMonitor": {
                "enabled": True,
                "interval": "1m",
                "scrapeTimeout": "20s",
                "labels": {"release": "prometheus"},
                "relabelings": [{"action": "labeldrop", "regex": "pod"}],
                "nativeHistograms": True,
            },
            "prometheusRule": {
                "enabled": True,
                "alerts": {
                    "FleetTelemetryExceptionExpiring": {"threshold": 30},
                    "FleetTelemetryCertificateExpiring": {"threshold": 2.5, "severity": "page"},
                    "FleetTelemetryEgressStale": {"threshold": 90, "for": "1h"},
                    "FleetTelemetryUnknownTooLong": {"for": "7d"},
                    "FleetTelemetryMatchConditionErrors": {"enabled": False},
                },
            },
        },
    },
    "host-network": {"webhook": {"hostNetwork": True, "httpPort": 18080}},
    "bare": {
        "crds": {"enabled": False},
        "rbac": {"aggregate": False, "admissionPolicies": False},
        "webhook": {"podDisruptionBudget": {"enabled": False}, "excludedNamespaces": []},
        "controller": {"podDisruptionBudget": {"enabled": False}, "resources": {"limits": None}},
        "runAsUser": None,
        "networkPolicy": {"enabled": False},
    },
    "everything": {
        "global": {"imageRegistry": "registry.example:5000", "imagePullSecrets": [{"name": "a"}]},
        "fullnameOverride": "telemetry",
        "serviceAccount": {"annotations": {"example.com/all": "a", "example.com/role": "b"}},
        "commonLabels": {
            "cost-center": "4711",
            "release": "common",
            "app.kubernetes.io/part-of": "platform",
            "app.kubernetes.io/name": "mine",
            "app.kubernetes.io/component": "mine",
        },
        "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "a"}, {"name": "b"}]},
        "rbac": {"argumentWords": ["--acme-telemetry=false"]},
        "crds": {"keep": False},
        "webhook": {
            **_EXTRA,
            "service": {"port": 8443},
            "port": 8443,
            "drainSeconds": 0.5,
            "clientCA": CERTIFICATE,
            "clientNames": ["kube-apiserver"],
        },
        "controller": {**_EXTRA},
        "runtime": {"secrets": [{"namespace": "appsec", "names": ["a", "b"]}, {"namespace": "b"}]},
        "customResources": {
            "read": False,
            "write": ["longhorn"],
            "additional": [
                {
                    "group": "acme.example.com",
                    "resource": "settings",
                    "names": ["telemetry"],
                    "path": "spec.telemetry.enabled",
                    "write": True,
                }
            ],
        },
        "egress": {
            "dnsServers": ["10.96.0.10", "corp=192.0.2.53:53", "six=[2001:db8::53]:5353", "::1"],
            "families": ["IPv4"],
            "enforced": ["NetworkPolicy", "Cilium"],
            "clusterRanges": ["192.0.2.0/24", "2001:db8:0:ab00::/56", "1:2:3:4:5:6:7:8/128"],
            "nat64Prefixes": ["2001:db8:64::/96"],
            "publishedRanges": "built-in",
            "allowlistRequests": "catalogue",
            "onUninstall": "Remove",
        },
        "observed": {
            "enabled": True,
            "port": 6053,
            "service": {"clusterIP": FIXED_ADDRESS},
            "dnsService": {"namespace": "b", "name": "cluster-dns"},
            "sources": ["192.0.2.0/24", "2001:db8:1::/48"],
            "clusterDomain": "corp.example",
            "tls": {"secretName": "dnstap-tls"},
            "networkPolicy": {"podSelector": {"matchLabels": {"app": "coredns"}}},
        },
        "networkPolicy": {
            "enabled": True,
            "webhookFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}],
            "limitEgress": True,
            "apiServerPorts": [443, 6443],
        },
        "metrics": {
            "for": "Pod",
            "perWorkload": False,
            "serviceMonitor": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "relabelings": [{"action": "labeldrop", "regex": "pod"}],
                "nativeHistograms": True,
            },
            "prometheusRule": {"enabled": True, "runbooks": "https://wiki.example/r/"},
            "dashboards": {"enabled": True, "annotations": {"folder": "Compliance"}},
        },
        "logFormat": "text",
        "extraObjects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "{{ .Release.Name }}-more", "namespace": NAMESPACE},
            },
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text, namespace: fleet-telemetry}",
        ],
    },
}


class RenderError(Exception):
    """Helm refuses the values."""


def render(
    values: Values | None = None, *, release: str = RELEASE, program: HelmProgram = "helm"
) -> str:
    """The text that Helm makes of the chart. Raises RenderError."""
    helm = binaries.ensure([program])[program]
    # Without a cluster, Helm has to be told which one is meant.
    version = toolchain.tool("kube-apiserver").version
    flags = [f"--namespace={NAMESPACE}", f"--kube-version={version}", "--values=-"]
    done = subprocess.run(
        [helm, "template", release, str(CHART), *flags],
        env={**os.environ, **SHORT_LIVED},
        input=yaml.safe_dump(dict(values or {})),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RenderError(done.stderr)
    return done.stdout


def manifests(text: str) -> Iterator[Manifest]:
    """The objects in a rendered text."""
    for manifest in yaml.load_all(text, Loader=_Loader):
        if manifest:
            yield manifest
