{{- define "fto.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "fto.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: fleet-telemetry-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: fleet-telemetry-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "fto.selectorLabels" -}}
app.kubernetes.io/name: fleet-telemetry-operator
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "fto.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Where the webhook is; takes (dict "root" $ "path" "/mutate"). */}}
{{- define "fto.clientConfig" -}}
service:
  name: {{ include "fto.name" .root }}-webhook
  namespace: {{ .root.Release.Namespace }}
  port: {{ .root.Values.webhook.service.port }}
  path: {{ .path }}
{{- with .root.Values.webhook.certificate.ca }}
caBundle: {{ . | b64enc }}
{{- end }}
{{- end -}}
