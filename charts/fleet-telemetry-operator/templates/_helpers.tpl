{{- define "fto.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "fto.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: fleet-telemetry-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: fleet-telemetry-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "fto.selectorLabels" -}}
app.kubernetes.io/name: fleet-telemetry-operator
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "fto.image" -}}
{{- $repository := .Values.image.repository -}}
{{- with .Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^[^/]*[.:][^/]*/" $repository "") -}}
{{- end -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ $repository }}@{{ .digest }}
{{- else -}}
{{ $repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "fto.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets | uniq -}}
imagePullSecrets:
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Required by the profile "restricted" of Pod Security. */}}
{{- define "fto.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ . | int64 }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "fto.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The clientConfig of a webhook. Argument: (dict "root" $ "path" "/mutate"). */}}
{{- define "fto.clientConfig" -}}
service:
  name: {{ include "fto.name" .root }}-webhook
  namespace: {{ .root.Release.Namespace }}
  port: {{ .root.Values.webhook.service.port }}
  path: {{ .path }}
{{- /* In all other cases another component writes caBundle; the chart omits it, so that no upgrade removes it. */}}
{{- with .root.Values.webhook.certificate }}
{{- if and (eq .source "ExistingSecret") .ca }}
caBundle: {{ .ca | b64enc }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The namespaces whose workloads the operator does not change, as a JSON array. */}}
{{- define "fto.excludedNamespaces" -}}
{{- concat .Values.webhook.excludedNamespaces (list .Release.Namespace) | uniq | toJson -}}
{{- end -}}

{{- /* The Secret with the webhook's certificate. */}}
{{- define "fto.certificateSecret" -}}
{{- with .Values.webhook.certificate -}}
{{- if .secretName -}}
{{ .secretName }}
{{- else if eq .source "ExistingSecret" -}}
{{- fail "webhook.certificate.source is ExistingSecret: name the Secret in webhook.certificate.secretName" -}}
{{- else -}}
{{ include "fto.name" $ }}-webhook-tls
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* "true" if the webhook itself writes its CA into the webhook configurations. */}}
{{- define "fto.writesTrust" -}}
{{- with .Values.webhook.certificate -}}
{{- if or (eq .source "OperatorCA") (and (eq .source "ExistingSecret") (not .ca)) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Makes cert-manager write caBundle. */}}
{{- define "fto.injectAnnotation" -}}
{{- if eq .Values.webhook.certificate.source "CertManager" -}}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "fto.name" . }}-webhook
{{- end -}}
{{- end -}}

{{- /* The controller's arguments for egress. */}}
{{- define "fto.egressArgs" -}}
- --allowlist={{ include "fto.name" . }}-allowlist
- --published-ranges={{ .Values.egress.publishedRanges }}
- --allowlist-requests={{ .Values.egress.allowlistRequests }}
{{- range .Values.egress.dnsServers }}
- --dns-server={{ . }}
{{- end }}
{{- range .Values.egress.families }}
- --egress-family={{ . }}
{{- end }}
{{- range .Values.egress.enforced }}
- --egress-enforced={{ . }}
{{- end }}
{{- range .Values.egress.clusterRanges }}
- --cluster-range={{ . }}
{{- end }}
{{- range .Values.egress.nat64Prefixes }}
- --nat64-prefix={{ . }}
{{- end }}
{{- end }}

{{- /* The ConfigMap with the CAs of the webhook's clients. */}}
{{- define "fto.clientCA" -}}
{{ include "fto.name" . }}-clients-{{ .Values.webhook.clientCA | trim | sha256sum | trunc 8 }}
{{- end -}}
