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

{{- /*
Why a text is no address range; empty if it is one. An IPv4 range is checked to the last bit, an IPv6 range
by its form: the controller reads it again. Argument: the text.
*/}}
{{- define "fto.rangeProblem" -}}
{{- $parts := splitList "/" . -}}
{{- $address := first $parts -}}
{{- $length := last $parts | int -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- if not (regexMatch "^[^/]+/(0|[1-9][0-9]{0,2})$" .) -}}
it has to be an address and the length of its prefix, such as 10.0.0.0/24
{{- else if contains ":" $address -}}
{{- if or (gt $length 128) (not (regexMatch "^(::|[0-9a-fA-F])[0-9a-fA-F:]*(::|[0-9a-fA-F])$|^::$" $address)) (regexMatch ":::|::.*::|[0-9a-fA-F]{5}" $address) (not (or (and (contains "::" $address) (le (regexFindAll "[^:]+" $address -1 | len) 7)) (regexMatch "^([^:]+:){7}[^:]+$" $address))) -}}
it is no IPv6 range
{{- else if eq $length 0 -}}
it contains every address, so everybody could forge lookups
{{- end -}}
{{- else if or (gt $length 32) (not (regexMatch (printf "^%s([.]%s){3}$" $octet $octet) $address)) -}}
it is no IPv4 range
{{- else if eq $length 0 -}}
it contains every address, so everybody could forge lookups
{{- else -}}
{{- $number := 0 -}}
{{- range splitList "." $address -}}
{{- $number = add (mul $number 256) (int .) -}}
{{- end -}}
{{- $size := 1 -}}
{{- range until (sub 32 $length | int) -}}
{{- $size = mul $size 2 -}}
{{- end -}}
{{- with mod $number $size -}}
{{- $start := sub $number . -}}
{{- printf "the range begins at %d.%d.%d.%d" (div $start 16777216) (mod (div $start 65536) 256) (mod (div $start 256) 256) (mod $start 256) -}}
{{- end -}}
{{- end -}}
{{- end -}}
