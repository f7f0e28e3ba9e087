"""Images that no product's pattern may cover by accident: common ones, of different makers, and the
general words that teams call their own images by."""

from __future__ import annotations

_COMMON = """
alpine busybox debian ubuntu nginx httpd redis postgres mysql mariadb mongo memcached rabbitmq
node python golang openjdk eclipse-temurin php ruby tomcat haproxy envoyproxy/envoy registry
docker kubernetes/pause kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd
coredns/coredns metrics-server/metrics-server ingress-nginx/controller calico/node cilium/cilium
cilium/operator-generic istio/proxyv2 istio/pilot cert-manager-controller cert-manager-webhook
external-dns/external-dns prometheus/prometheus prometheus/alertmanager prometheus/node-exporter
prometheus-operator kube-state-metrics fluent/fluent-bit opensearchproject/opensearch minio/minio
bitnami/postgresql bitnami/redis bitnami/kafka argoproj/argocd fluxcd/source-controller
velero/velero external-secrets/external-secrets strimzi/operator kedacore/keda sidecar-injector
sig-storage/csi-provisioner sig-storage/csi-attacher amazon/aws-cli curlimages/curl
"""
_GENERAL = """
app application api api-server apiserver server service web webapp website frontend backend worker
agent controller operator manager proxy gateway router exporter collector scheduler runner
executor database db cache queue broker storage data client console dashboard ui portal admin auth
gateway image base core main init job task tool tools test demo example hello-world migration
migrations sidecar java nodejs dotnet standalone community enterprise platform engine monitor node
master cluster
"""

NEUTRAL_IMAGES: tuple[str, ...] = (
    *_COMMON.split(),
    *(f"{team}/{word}" for word in _GENERAL.split() for team in ("team-a", "team-b")),
    *(f"{team}-{word}" for word in _GENERAL.split() for team in ("shop", "billing")),
)
"""Repositories without registry and tag."""
