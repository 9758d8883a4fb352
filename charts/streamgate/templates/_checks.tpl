{{/*
What values.schema.json cannot say: what has to be given (in words that tell what to do), and what two numbers mean together.
*/}}
{{- define "streamgate.checks" -}}
{{- include "streamgate.checks.needed" . }}
{{- include "streamgate.checks.secrets" . }}
{{- include "streamgate.checks.numbers" . }}
{{- include "streamgate.checks.drain" . }}
{{- include "streamgate.ingress.checks" . }}
{{- end }}

{{- define "streamgate.checks.needed" -}}
{{- with .Values.jwt }}
{{- if not (or .secret .publicKey .jwksUrl .existingSecret) }}
{{- fail "jwt: set one of jwt.existingSecret, jwt.secret, jwt.publicKey or jwt.jwksUrl: pods do not start without a key to check tokens with" }}
{{- end }}
{{- end }}
{{- with .Values }}
{{- if and .ingress.enabled (not .ingress.host) }}
{{- fail "ingress.host: set the host name under which clients connect, or ingress.enabled=false" }}
{{- end }}
{{- $many := or .autoscaling.enabled .keda.enabled (gt (int64 .replicaCount) 1) }}
{{- $redis := or .redis.url .redis.existingSecret }}
{{- if and $many (not $redis) }}
{{- fail "redis: set redis.existingSecret or redis.url: several pods need a Redis between them. One pod alone does without: replicaCount=1, autoscaling.enabled=false" }}
{{- end }}
{{- if and (has .backplane (list "mailbox" "streams" "pubsub")) (not $redis) }}
{{- fail (printf "backplane: %s needs redis.existingSecret or redis.url" .backplane) }}
{{- end }}
{{- if and .eventsOut.types (or (not $redis) (eq .backplane "memory")) }}
{{- fail "eventsOut.types: they go to Redis: set redis.existingSecret or redis.url, and another backplane than memory" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The form of secrets: a schema's message would quote them. */}}
{{- define "streamgate.checks.secrets" -}}
{{- $pem := list "^\\s*-----BEGIN [A-Z ]*PUBLIC KEY-----" "must be a public key, PEM text" }}
{{- range $value, $check := dict
  "jwt.publicKey" (prepend $pem .Values.jwt.publicKey)
  "jwt.previousPublicKey" (prepend $pem .Values.jwt.previousPublicKey)
  "redis.url" (list .Values.redis.url "^rediss?(\\+sentinel)?://." "must be redis://..., rediss://... or redis+sentinel://...")
  "database.url" (list .Values.database.url "^postgres(ql)?://[^/]+/." "must be postgres://user:password@host:port/database") }}
{{- $text := index $check 0 }}
{{- if and $text (not (regexMatch (index $check 1) $text)) }}
{{- fail (printf "%s: %s" $value (index $check 2)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Numbers that depend on others. */}}
{{- define "streamgate.checks.numbers" -}}
{{- with .Values.limits }}
{{- if lt (int64 .eventsBurst) (int64 .eventsPerSecond) }}
{{- fail (printf "limits.eventsBurst: must be at least limits.eventsPerSecond, %d" (int64 .eventsPerSecond)) }}
{{- end }}
{{- end }}
{{- if has (toString (int64 .Values.doors.tcp.port)) (list "3000" "9464") }}
{{- fail "doors.tcp.port: must differ from 3000 and 9464, which the pod listens on already" }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if gt (int64 .minReplicas) (int64 .maxReplicas) }}
{{- fail (printf "autoscaling.minReplicas: %d is more than autoscaling.maxReplicas, %d" (int64 .minReplicas) (int64 .maxReplicas)) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
In a rollout `maxSurge` + `maxUnavailable` pods drain together. All of them full, what they let go of in a second must not be
more than the ready ones admit, or clients are refused and come back later.
*/}}
{{- define "streamgate.checks.drain" -}}
{{- $pods := include "streamgate.minReplicas" . | int64 }}
{{- $strategy := .Values.updateStrategy }}
{{- $surge := include "streamgate.podsOf" (dict "value" $strategy.maxSurge "pods" $pods "up" true) | int64 }}
{{- $unavailable := include "streamgate.podsOf" (dict "value" $strategy.maxUnavailable "pods" $pods) | int64 }}
{{- if and (eq $surge 0) (eq $unavailable 0) }}
{{- fail "updateStrategy: maxSurge and maxUnavailable are both 0: no rollout could begin" }}
{{- end }}
{{- $draining := min $pods (add $surge $unavailable) }}
{{- $ready := sub $pods $unavailable }}
{{- with .Values }}
{{- $leaving := mul $draining .limits.maxSessions }}
{{- $admitted := mul $ready .limits.connectsPerSecond .drain.seconds }}
{{- if gt $leaving $admitted }}
{{- fail (printf "drain.seconds: %d pods with limits.maxSessions=%d each let go of %d sessions in %d s, and %d ready pods with limits.connectsPerSecond=%d admit %d of them: give the drain more seconds, or change a limit or updateStrategy"
  $draining (int64 .limits.maxSessions) $leaving (int64 .drain.seconds) $ready (int64 .limits.connectsPerSecond) $admitted) }}
{{- end }}
{{- end }}
{{- end }}

{{/* How many pods a number or a percentage is. Takes (dict "value" v "pods" n "up" bool): which way a part is rounded. */}}
{{- define "streamgate.podsOf" -}}
{{- if kindIs "string" .value }}
{{- $percent := mul (trimSuffix "%" .value | int64) .pods }}
{{- div (ternary (add $percent 99) $percent (.up | default false)) 100 }}
{{- else }}
{{- int64 .value }}
{{- end }}
{{- end }}
