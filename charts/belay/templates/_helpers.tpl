{{- define "belay.name" -}}
{{- if contains "belay" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-belay" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "belay.selectorLabels" -}}
app.kubernetes.io/name: belay
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "belay.labels" -}}
{{ include "belay.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "belay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "belay.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "belay.image" -}}
{{- with .Values.image }}
{{- if .registry }}{{ .registry }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "belay.defaultPolicy" -}}
apiVersion: belay.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: default
spec:
  description: Every image has a tag or a digest, and no mutable tag such as latest
  mode: {{ .Values.defaultPolicy.mode }}
  rules:
    tagRequired: {}
    mutableTag: {}
{{- end }}

{{/* Name to text, as YAML: `policies`, and the default policy unless `policies` has one with its name. */}}
{{- define "belay.policies" -}}
{{- $own := ternary (dict "default" (include "belay.defaultPolicy" .)) dict .Values.defaultPolicy.enabled }}
{{- merge (deepCopy (.Values.policies | default dict)) $own | toYaml }}
{{- end }}

{{/* What `helm test` expects: what the default policy leads to, unless test.expect is set. */}}
{{- define "belay.testExpects" -}}
{{- $expects := dict "enforce" "denied" "warn" "warned" "audit" "admitted" }}
{{- .Values.test.expect | default (ternary (get $expects .Values.defaultPolicy.mode) "denied" .Values.defaultPolicy.enabled) }}
{{- end }}

{{/* cert-manager does not delete its Secret, and Helm takes over no Secret that it did not create: each mode has its own name. */}}
{{- define "belay.secretName" -}}
{{- if eq .Values.tls.mode "existingSecret" }}{{ required "tls.existingSecret.name is needed with tls.mode existingSecret" .Values.tls.existingSecret.name }}
{{- else if eq .Values.tls.mode "certManager" }}{{ include "belay.name" . }}-cert-manager-tls
{{- else }}{{ include "belay.name" . }}-tls
{{- end }}
{{- end }}

{{/* In mode selfManaged the leader creates the certificate that a new replica waits for. An old replica that cannot
create it must not stay the leader when the mode changes. */}}
{{- define "belay.leaseName" -}}
{{- include "belay.name" . }}{{ if ne .Values.tls.mode "selfManaged" }}-status{{ end }}
{{- end }}

{{/* Everything that changes who may call or what is trusted, in both webhook configurations. */}}
{{- define "belay.clientConfig" -}}
service:
  name: {{ include "belay.name" .root }}
  namespace: {{ .root.Release.Namespace | quote }}
  path: {{ .path }}
  port: 443
{{- if eq .root.Values.tls.mode "existingSecret" }}
caBundle: {{ required "tls.existingSecret.caBundle is needed with tls.mode existingSecret" .root.Values.tls.existingSecret.caBundle | b64enc }}
{{- end }}
{{- end }}

{{- define "belay.configurationAnnotations" -}}
{{- if eq .Values.tls.mode "certManager" }}
  annotations:
    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "belay.name" . }}
{{- end }}
{{- end }}

{{/* By name only: a label that a tenant can write never exempts. */}}
{{- define "belay.namespaceSelector" -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values:
      {{- range concat (list "kube-system" .Release.Namespace) .Values.webhook.excludeNamespaces | uniq }}
      - {{ . | quote }}
      {{- end }}
{{- end }}

{{/* Of the root; with `jobs: [CREATE]` if changes of Jobs do not matter: their pods never change. */}}
{{- define "belay.workloadRules" -}}
{{- $jobs := .jobs | default (list "CREATE" "UPDATE") -}}
{{- range .root.Files.Get "files/workloads.yaml" | fromYamlArray }}
- apiGroups: [{{ .group | quote }}]
  apiVersions: [v1]
  operations: [{{ join ", " (ternary $jobs (list "CREATE" "UPDATE") (eq .kind "Job")) }}]
  resources: [{{ join ", " .resources }}]
  scope: Namespaced
{{- end }}
{{- range .root.Values.extraTemplates }}
- apiGroups: [{{ .group | quote }}]
  apiVersions: [{{ .version | quote }}]
  operations: [CREATE, UPDATE]
  resources: [{{ .resource | quote }}]
  scope: Namespaced
{{- end }}
{{- end }}

{{/* Built-in kinds only: CEL cannot be told where a custom resource has its pod template. */}}
{{- define "belay.admissionRules" -}}
{{- range .Files.Get "files/workloads.yaml" | fromYamlArray }}
- apiGroups: [{{ .group | quote }}]
  apiVersions: [v1]
  operations: [CREATE, UPDATE]
  resources: [{{ join ", " .resources }}]
{{- end }}
{{- end }}

{{/* CEL over `object`: the field `of` of its pod, wherever its kind keeps it. A Pod has it in `own`. */}}
{{- define "belay.podField" -}}
{{- $of := .of }}
{{- $own := .own }}(
{{- range .root.Files.Get "files/workloads.yaml" | fromYamlArray }}
{{- if not .podPath }}object.kind == '{{ .kind }}' ? object.{{ $own }} : {{ else if ne .podPath "spec.template" }}object.kind == '{{ .kind }}' ? object.{{ .podPath }}.{{ $of }} : {{ end }}
{{- end }}object.spec.template.{{ $of }})
{{- end }}

{{/* Ports of the registries, their mirrors, token services and blob stores, beside 443, as JSON. */}}
{{- define "belay.registryPorts" -}}
{{- $ports := list 443 }}
{{- range $registry := .Values.registries }}
{{- range $place := prepend ($registry.mirrors | default list) $registry }}
{{- $url := $place.endpoint | default $registry.host }}
{{- $own := $url | trimPrefix "https://" | trimPrefix "http://" | splitList "/" | first }}
{{- if and (hasPrefix "http://" $url) (not (regexMatch ":[0-9]+$" $own)) }}
{{- $ports = append $ports 80 }}
{{- end }}
{{- range $host := concat (list $own) ($place.tokenHosts | default list) ($place.blobHosts | default list) }}
{{- with regexFind ":[0-9]+$" $host }}
{{- $ports = append $ports (trimPrefix ":" . | int) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}
