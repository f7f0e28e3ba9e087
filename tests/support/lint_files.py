"""A product and its table without a fault."""

from __future__ import annotations

PRODUCT = """\
apiVersion: fleettelemetry.io/v1alpha1
kind: TelemetryProduct
metadata:
  name: acme
spec:
  title: Acme
  homepage: https://acme.example
  images:
  - pattern: acme/server
    repositories: [docker.io/acme/server]
    excludeTags: ["*-tools"]
  - {pattern: acme/agent, component: agent, edition: pro}
  versions:
    lines:
    - {lowest: 1.0.0, verified: "2.4", highest: "2.9"}
  channels:
  - name: Usage
    summary: Reports.
    hosts:
    - host: usage.acme.example
      versions: [">=2.0.0"]
    rules:
    - versions: ["<2.0.0"]
      default: NoTelemetry
      sources: [acme/acme@v1.0.0:main.go]
    - versions: [">=2.0.0"]
      default: "On"
      switches:
      - semantics: Start
        env: {name: ACME_TELEMETRY, disabled: "false", enabled: "true"}
        ineffective: [ACME_TRACE]
      sources: [acme/acme@v2.0.0:main.go]
"""
TABLE = """\
matches:
- {image: "acme/server:2.1.0", version: "2.1.0"}
- {image: "acme/agent:2.1.0", version: "2.1.0", component: agent, edition: pro}
rejects: ["acme/server:2.1.0-tools"]
channels:
- channel: Usage
  images: ["acme/server:2.0.0", "acme/server:2.1.0"]
  disabled: ["ACME_TELEMETRY=false"]
  enabled: ["ACME_TELEMETRY=true"]
- channel: Usage
  images: ["acme/server:2.5.0"]
  disabled: ["ACME_TELEMETRY=false"]
  enabled: ["ACME_TELEMETRY=true"]
  state: Unknown
- channel: Usage
  images: ["acme/server:1.0.0"]
  disabled: []
  enabled: []
- channel: Usage
  images: ["acme/server:latest"]
  disabled: []
  enabled: []
  state: Unknown
"""
