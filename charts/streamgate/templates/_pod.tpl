{{/* What all pods of the chart share. */}}
{{- define "streamgate.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the containers with our image share. */}}
{{- define "streamgate.container" -}}
image: {{ include "streamgate.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/*
A variable from a Secret: one of yours, or the chart's own when the value itself is given; nothing when neither is.
Takes (dict "root" $ "name" "STREAMGATE_..." "value" "..." "existingSecret" "..." "existingSecretKey" "..." "optional" bool).
*/}}
{{- define "streamgate.secretVariable" -}}
{{- if or .value .existingSecret }}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      {{- if .existingSecret }}
      name: {{ .existingSecret }}
      key: {{ .existingSecretKey }}
      {{- if .optional }}
      optional: true
      {{- end }}
      {{- else }}
      name: {{ .secret | default (include "streamgate.fullname" .root) }}
      key: {{ .name }}
      {{- end }}
{{- end }}
{{- end }}

{{/* The keys of tokens. Those of an existing Secret are optional: a node says itself when it has none. */}}
{{- define "streamgate.jwtVariables" -}}
{{- $jwt := .Values.jwt }}
{{- range $value, $name := dict
  "secret" "STREAMGATE_JWT_SECRET"
  "previousSecret" "STREAMGATE_JWT_SECRET_PREVIOUS"
  "publicKey" "STREAMGATE_JWT_PUBLIC_KEY"
  "previousPublicKey" "STREAMGATE_JWT_PUBLIC_KEY_PREVIOUS" }}
{{- include "streamgate.secretVariable" (dict "root" $ "name" $name "value" (index $jwt $value)
  "existingSecret" $jwt.existingSecret "existingSecretKey" (index $jwt.existingSecretKeys $value) "optional" true) }}
{{- end }}
{{- end }}

{{- define "streamgate.redisVariable" -}}
{{- include "streamgate.secretVariable" (merge (dict "root" . "name" "STREAMGATE_REDIS_URL" "value" .Values.redis.url) .Values.redis) }}
{{- end }}

{{/* Takes (dict "root" $ "secret" name of the Secret that holds `database.url`). */}}
{{- define "streamgate.databaseVariable" -}}
{{- $database := .root.Values.database }}
{{- include "streamgate.secretVariable" (merge (dict "name" "STREAMGATE_DATABASE_URL" "value" $database.url) . $database) }}
{{- end }}

{{/* Every secret that a node needs, as environment variables. */}}
{{- define "streamgate.secretVariables" -}}
{{- include "streamgate.jwtVariables" . }}
{{- include "streamgate.redisVariable" . }}
{{- if .Values.chat.enabled }}
{{- include "streamgate.databaseVariable" (dict "root" .) }}
{{- end }}
{{- include "streamgate.secretVariable" (merge (dict "root" . "name" "STREAMGATE_ADMIN_TOKEN" "value" .Values.admin.token) .Values.admin) }}
{{- with .Values.doors }}
{{- if .kafka.enabled }}
{{- include "streamgate.secretVariable" (merge (dict "root" $ "name" "STREAMGATE_KAFKA_SASL_PASSWORD" "value" .kafka.sasl.password) .kafka.sasl) }}
{{- end }}
{{- if and .tcp.enabled .tcp.tlsSecret }}
{{- range $name, $key := dict "STREAMGATE_TCP_TLS_CERT" "tls.crt" "STREAMGATE_TCP_TLS_KEY" "tls.key" }}
{{- include "streamgate.secretVariable" (dict "name" $name "existingSecret" $.Values.doors.tcp.tlsSecret "existingSecretKey" $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where traces go, by OpenTelemetry's own variables. */}}
{{- define "streamgate.otelVariables" -}}
{{- with .Values.otel }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .protocol }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .sampleRatio | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: OTEL_RESOURCE_ATTRIBUTES
  {{- $attributes := list (printf "k8s.namespace.name=%s" $.Release.Namespace) "k8s.pod.name=$(POD_NAME)" }}
  {{- range $name, $value := .resourceAttributes }}
  {{- $attributes = append $attributes (printf "%s=%s" $name $value) }}
  {{- end }}
  value: {{ join "," $attributes | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Further certificate authorities: variable, mount and volume. */}}
{{- define "streamgate.caVariable" -}}
{{- if or .Values.trustedCa.configMap .Values.trustedCa.secret }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/streamgate/ca/{{ .Values.trustedCa.key }}
{{- end }}
{{- end }}

{{- define "streamgate.caMount" -}}
{{- if or .Values.trustedCa.configMap .Values.trustedCa.secret }}
- name: trusted-ca
  mountPath: /etc/streamgate/ca
  readOnly: true
{{- end }}
{{- end }}

{{- define "streamgate.caVolume" -}}
{{- with .Values.trustedCa }}
{{- if .configMap }}
- name: trusted-ca
  configMap:
    name: {{ .configMap }}
{{- else if .secret }}
- name: trusted-ca
  secret:
    secretName: {{ .secret }}
{{- end }}
{{- end }}
{{- end }}

{{/* A list as YAML on lines of its own, or nothing. */}}
{{- define "streamgate.list" -}}
{{- with . }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* How often a probe asks. */}}
{{- define "streamgate.probe" -}}
periodSeconds: {{ int64 .periodSeconds }}
failureThreshold: {{ int64 .failureThreshold }}
timeoutSeconds: {{ int64 .timeoutSeconds }}
{{- end }}
