{{- define "fto.name" -}}
{{- $name := .Release.Name -}}
{{- if and .Values.nameOverride (not (contains .Values.nameOverride $name)) -}}
{{- $name = printf "%s-%s" $name .Values.nameOverride -}}
{{- end -}}
{{- .Values.fullnameOverride | default $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* The label app.kubernetes.io/name. */}}
{{- define "fto.appName" -}}
{{- .Values.nameOverride | default .Chart.Name -}}
{{- end -}}

{{- /*
The labels of an object, as lines. Argument: (dict "root" $), with `component` where it has one, and
`own`, a map that overrides the common ones. Selectors use some, so nothing overrides these.
*/}}
{{- define "fto.labels" -}}
{{- $chart := printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" -}}
{{- $labels := dict "helm.sh/chart" $chart "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- mergeOverwrite $labels (include "fto.podLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /*
The labels of pods, as lines: none of a version, so that a new chart with the same pods causes no
rollout. Argument: (dict "root" $ "component" "webhook"), and `own` as above.
*/}}
{{- define "fto.podLabels" -}}
{{- $labels := dict "app.kubernetes.io/part-of" "fleet-telemetry-operator" -}}
{{- $selected := include "fto.selectorLabels" . | fromYaml -}}
{{- mergeOverwrite $labels (.root.Values.commonLabels | default dict) (.own | default dict) $selected | toYaml -}}
{{- end -}}

{{- /*
The annotations of an object, with their key, as lines of its metadata. Argument: (dict "root" $), and
`own`, a map that overrides the common ones, where the object has annotations of its own.
*/}}
{{- define "fto.annotations" -}}
{{- with mergeOverwrite (dict) (.root.Values.commonAnnotations | default dict) (.own | default dict) }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "fto.selectorLabels" -}}
app.kubernetes.io/name: {{ include "fto.appName" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
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
{{- $names := list -}}
{{- range concat .Values.global.imagePullSecrets .Values.image.pullSecrets -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "string" . | ternary dict .) "name")) -}}
{{- end -}}
{{- with $names | uniq -}}
imagePullSecrets:
{{- range . }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The service account of a role. Argument: (dict "root" $ "role" "webhook"). */}}
{{- define "fto.serviceAccount" -}}
{{ .root.Values.serviceAccount.name | default (include "fto.name" .root) }}-{{ .role }}
{{- end -}}

{{- /*
Where pods are scheduled: what a role says, and else what all pods have. Argument: (dict "root" $ "values" map).
*/}}
{{- define "fto.scheduling" -}}
{{- $root := .root.Values -}}
{{- with .values.priorityClassName | default $root.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector | default $root.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations | default $root.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity | default $root.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
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
{{- $names := concat .Values.webhook.excludedNamespaces (list .Release.Namespace) -}}
{{- /* What the cluster itself needs must start also while no webhook answers. */ -}}
{{- if eq .Values.webhook.failurePolicy "Fail" -}}
{{- $names = append $names "kube-system" -}}
{{- end -}}
{{- $names | uniq | toJson -}}
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

{{- /* The annotations of a webhook configuration: one makes cert-manager write caBundle. */}}
{{- define "fto.injectAnnotation" -}}
{{- $own := dict -}}
{{- if eq .Values.webhook.certificate.source "CertManager" -}}
{{- $_ := set $own "cert-manager.io/inject-ca-from" (printf "%s/%s-webhook" .Release.Namespace (include "fto.name" .)) -}}
{{- end -}}
{{- include "fto.annotations" (dict "root" . "own" $own) -}}
{{- end -}}

{{- /* The port of probes and metrics. Argument: (dict "root" $ "role" "webhook"). */}}
{{- define "fto.httpPort" -}}
{{- if eq .role "webhook" }}{{ .root.Values.webhook.httpPort | int }}{{ else }}8080{{ end -}}
{{- end -}}

{{- /* How the webhook resolves names. */}}
{{- define "fto.dnsPolicy" -}}
{{- with .Values.webhook -}}
{{- .dnsPolicy | default (.hostNetwork | ternary "ClusterFirstWithHostNet" "") -}}
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

{{- /* The fields of custom resources that the controller may read, and whether it may set them, as a list. */}}
{{- define "fto.customResources" -}}
{{- $known := .Files.Get "files/custom-resources.yaml" | fromYaml }}
{{- $values := .Values.customResources }}
{{- range $values.write }}
{{- if not (hasKey $known .) }}
{{- fail (printf "customResources.write has %s, which is no product with a switch in a custom resource. Known are: %s." . (keys $known | sortAlpha | join ", ")) }}
{{- end }}
{{- end }}
{{- $found := list }}
{{- range $product, $fields := $known }}
{{- $writes := has $product $values.write }}
{{- if or $values.read $writes }}
{{- range $fields }}
{{- $found = append $found (set (deepCopy .) "write" (and $writes .write)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $values.additional }}
{{- if or (regexMatch "(^|[.-])(k8s[.]io|kubernetes[.]io|openshift[.]io|fleettelemetry[.]io)$" .group) (has (splitList "." .path | first) (list "apiVersion" "kind" "metadata" "status")) }}
{{- fail (printf "customResources.additional: %s of %s.%s is not a field that a vendor's product reads. Leave out resources of Kubernetes, OpenShift and this operator, and fields in apiVersion, kind, metadata and status." .path .resource .group) }}
{{- end }}
{{- $found = append $found (set (deepCopy .) "write" (default false .write)) }}
{{- end }}
{{- toYaml $found }}
{{- end }}
