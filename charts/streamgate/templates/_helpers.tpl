{{/* Name of the chart in labels. */}}
{{- define "streamgate.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Begins the name of every object; 46 characters leave room for `-management`, and in a pod's name (63) for the hashes behind it. */}}
{{- define "streamgate.fullname" -}}
{{- $name := include "streamgate.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 46 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 46 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 46 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What Services, the PodDisruptionBudget and policies find the gateway's pods by; never changes. */}}
{{- define "streamgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "streamgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{/* Labels of every object. Ours win over `commonLabels`: selectors depend on them. */}}
{{- define "streamgate.labels" -}}
{{- $own := dict
  "app.kubernetes.io/name" (include "streamgate.name" .)
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- merge $own .Values.commonLabels | toYaml }}
{{- end }}

{{/*
Labels of pods: none that changes with the chart's version, or every upgrade would move everyone.
Takes (dict "root" $ "component" "gateway").
*/}}
{{- define "streamgate.podLabels" -}}
{{- $own := include "streamgate.selectorLabels" .root | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/component" .component }}
{{- merge $own .root.Values.podLabels .root.Values.commonLabels | toYaml }}
{{- end }}

{{/* `metadata` of an object. Takes (dict "root" $ "name" "..." "labels" map "annotations" map), the last two if wanted. */}}
{{- define "streamgate.metadata" -}}
name: {{ .name }}
labels:
  {{- merge (include "streamgate.labels" .root | fromYaml) (.labels | default dict) | toYaml | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "streamgate.image" -}}
{{- with .Values.image }}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "streamgate.serviceAccountName" -}}
{{- with .Values.serviceAccount }}
{{- .name | default (ternary (include "streamgate.fullname" $) "default" .create) }}
{{- end }}
{{- end }}

{{/* A number or a percentage. Numbers of a values file are floats, and a large one would be printed as 1e+06. */}}
{{- define "streamgate.intOrString" -}}
{{- if kindIs "string" . }}{{ quote . }}{{ else }}{{ int64 . }}{{ end }}
{{- end }}

{{/* A value of a variable, as text. */}}
{{- define "streamgate.text" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* Is `true`, or `auto` and the cluster knows the kinds of prometheus-operator: then "true", else "". */}}
{{- define "streamgate.monitored" -}}
{{- $known := .root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
{{- if or (eq (toString .enabled) "true") (and (eq (toString .enabled) "auto") $known) }}true{{ end }}
{{- end }}

{{/* Whether a ServiceMonitor is made: "true", or "". A PodMonitor takes the place of `auto`. */}}
{{- define "streamgate.serviceMonitored" -}}
{{- if not .Values.podMonitor.enabled }}
{{- include "streamgate.monitored" (dict "root" . "enabled" .Values.serviceMonitor.enabled) }}
{{- end }}
{{- end }}

{{/* How many pods there are at least. */}}
{{- define "streamgate.minReplicas" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled }}
{{- int64 .Values.autoscaling.minReplicas }}
{{- else }}
{{- int64 .Values.replicaCount }}
{{- end }}
{{- end }}

{{/*
How long a leaving pod may take: the sleep before SIGTERM (it counts inside the grace), the drain, 2 s after which who does not
read is closed by force, 10 s in which the node closes and gives its lease back, and a margin.
*/}}
{{- define "streamgate.graceSeconds" -}}
{{- with .Values }}
{{- add .shutdown.preStopSeconds .drain.seconds 2 10 .shutdown.marginSeconds }}
{{- end }}
{{- end }}
