// Nothing is built here: these modules hold the custom resource definitions of other projects, which
// tests install. No Go code imports them, so `go get <module>@<version>` adds or raises one and
// `go mod download <module>` pins it in go.sum, but `go mod tidy` would remove them all.
module devcluster/tools/crds

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2 // indirect
	github.com/cilium/cilium v1.20.2 // indirect
	github.com/kyverno/kyverno v1.13.4 // indirect
	github.com/openreports/reports-api v0.2.1 // indirect
	github.com/prometheus-operator/prometheus-operator v0.85.0 // indirect
	sigs.k8s.io/network-policy-api v0.2.0 // indirect
)
