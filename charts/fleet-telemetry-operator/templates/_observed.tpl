{{- /*
The values of `observed`. A release that is upgraded with --reuse-values may have none, or only those that
were set, so the defaults of values.yaml are repeated here; a test compares them.
*/}}
{{- define "fto.observed" -}}
{{- $given := .Values.observed | default dict -}}
enabled: {{ dig "enabled" false $given }}
port: {{ dig "port" 6000 $given | int }}
service:
  clusterIP: {{ dig "service" "clusterIP" "" $given | quote }}
dnsService:
  namespace: {{ dig "dnsService" "namespace" "kube-system" $given | quote }}
  name: {{ dig "dnsService" "name" "kube-dns" $given | quote }}
sources: {{ dig "sources" list $given | toJson }}
clusterDomain: {{ dig "clusterDomain" "cluster.local" $given | quote }}
tls:
  secretName: {{ dig "tls" "secretName" "" $given | quote }}
networkPolicy:
  enabled: {{ dig "networkPolicy" "enabled" true $given }}
  podSelector: {{ dig "networkPolicy" "podSelector" dict $given | toJson }}
{{- end -}}

{{- /* The controller's arguments for observing the cluster's DNS. */}}
{{- define "fto.observedArgs" -}}
{{- $observed := include "fto.observed" . | fromYaml -}}
{{- with $observed -}}
- --observe
- --dnstap-port={{ .port | int }}
- --dnstap-service={{ include "fto.name" $ }}-dnstap
- --dns-service={{ .dnsService.namespace }}/{{ .dnsService.name }}
- --cluster-domain={{ .clusterDomain }}
{{- range .sources }}
- --dnstap-source={{ . }}
{{- end }}
{{- if .tls.secretName }}
- --dnstap-tls-cert=/dnstap-tls/tls.crt
- --dnstap-tls-key=/dnstap-tls/tls.key
{{- end }}
{{- end }}
{{- end -}}
