{{/*
How requests of one client are kept on one pod: source (a hash of the client's address), cookie or none.
docs/platform/ingress.md says which controller has which.
*/}}
{{- define "streamgate.ingress.stickiness" -}}
{{- $ingress := .Values.ingress -}}
{{- if eq $ingress.flavor "websocket-only" -}}
none
{{- else if ne $ingress.stickiness "auto" -}}
{{ $ingress.stickiness }}
{{- else if has $ingress.flavor (list "traefik" "aws-alb") -}}
cookie
{{- else -}}
source
{{- end -}}
{{- end }}

{{/* Which kind of object carries the host: Ingress, or the controller's own. */}}
{{- define "streamgate.ingress.kind" -}}
{{- $flavor := .Values.ingress.flavor -}}
{{- if and (eq $flavor "traefik") (eq (include "streamgate.ingress.stickiness" .) "source") -}}
IngressRoute
{{- else -}}
{{ get (dict "istio" "VirtualService" "contour" "HTTPProxy" "envoy-gateway" "HTTPRoute") $flavor | default "Ingress" }}
{{- end -}}
{{- end }}

{{/* Seconds without a byte after which a proxy may give up: above what Engine.IO itself allows. */}}
{{- define "streamgate.ingress.timeoutSeconds" -}}
{{- with int64 .Values.ingress.timeoutSeconds -}}
{{ . }}
{{- else -}}
{{ add (div (add (int64 .Values.ping.intervalMs) (int64 .Values.ping.timeoutMs) 999) 1000) 15 }}
{{- end -}}
{{- end }}

{{/* How long a load balancer keeps the connections of a pod that leaves: as long as its drain takes. */}}
{{- define "streamgate.ingress.drainSeconds" -}}
{{ add (int64 .Values.drain.seconds) 15 }}
{{- end }}

{{/* Every host name, the first one first. */}}
{{- define "streamgate.ingress.hosts" -}}
{{ prepend .Values.ingress.extraHosts .Values.ingress.host | toJson }}
{{- end }}

{{/* Annotations of the public Service: where Traefik, HAProxy and GKE look for stickiness. A YAML map, or nothing. */}}
{{- define "streamgate.ingress.serviceAnnotations" -}}
{{- $ingress := .Values.ingress -}}
{{- if $ingress.enabled -}}
{{- $stickiness := include "streamgate.ingress.stickiness" . -}}
{{- if and (eq $ingress.flavor "traefik") (eq $stickiness "cookie") -}}
traefik.ingress.kubernetes.io/service.sticky.cookie: "true"
traefik.ingress.kubernetes.io/service.sticky.cookie.name: {{ $ingress.cookieName | quote }}
traefik.ingress.kubernetes.io/service.sticky.cookie.httponly: "true"
{{- if $ingress.tls.enabled }}
traefik.ingress.kubernetes.io/service.sticky.cookie.secure: "true"
traefik.ingress.kubernetes.io/service.sticky.cookie.samesite: "none"
{{- end }}
{{- else if eq $ingress.flavor "haproxy" -}}
{{- if eq $stickiness "source" -}}
haproxy.org/load-balance: source
haproxy.org/backend-config-snippet: hash-type consistent
{{- else -}}
{{- if $ingress.tls.enabled -}}
haproxy.org/backend-config-snippet: |
  cookie {{ $ingress.cookieName }} insert indirect nocache dynamic httponly secure attr SameSite=None
  dynamic-cookie-key {{ $ingress.cookieName }}
{{- else -}}
haproxy.org/cookie-persistence: {{ $ingress.cookieName | quote }}
{{- end }}
{{- end }}
{{- else if eq $ingress.flavor "gke" -}}
cloud.google.com/neg: '{"ingress": true}'
cloud.google.com/backend-config: '{"default": {{ include "streamgate.fullname" . | quote }}}'
{{- end }}
{{- end }}
{{- end }}

{{/* Annotations of the Ingress that the flavor needs. A YAML map, or nothing. */}}
{{- define "streamgate.ingress.flavorAnnotations" -}}
{{- $ingress := .Values.ingress -}}
{{- $timeout := include "streamgate.ingress.timeoutSeconds" . -}}
{{- $cookie := eq (include "streamgate.ingress.stickiness" .) "cookie" -}}
{{- $service := include "streamgate.fullname" . -}}
{{- if eq $ingress.flavor "haproxy" -}}
haproxy.org/timeout-server: {{ printf "%ss" $timeout | quote }}
{{- else if eq $ingress.flavor "nginx" -}}
nginx.org/websocket-services: {{ $service | quote }}
nginx.org/proxy-read-timeout: {{ printf "%ss" $timeout | quote }}
nginx.org/proxy-send-timeout: {{ printf "%ss" $timeout | quote }}
nginx.org/client-max-body-size: "2m"
{{- if $cookie }}
nginx.org/sticky-cookie-services: {{ printf "serviceName=%s %s path=/ httponly%s" $service $ingress.cookieName (ternary " secure samesite=none" "" $ingress.tls.enabled) | quote }}
{{- else }}
nginx.org/lb-method: "hash $remote_addr consistent"
{{- end }}
{{- else if eq $ingress.flavor "aws-alb" -}}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/healthcheck-port: "9464"
alb.ingress.kubernetes.io/healthcheck-path: /health/ready
alb.ingress.kubernetes.io/healthcheck-interval-seconds: "5"
alb.ingress.kubernetes.io/healthcheck-timeout-seconds: "2"
alb.ingress.kubernetes.io/healthy-threshold-count: "2"
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds={{ $timeout }}
alb.ingress.kubernetes.io/target-group-attributes: stickiness.enabled=true,stickiness.type=lb_cookie,stickiness.lb_cookie.duration_seconds=86400,deregistration_delay.timeout_seconds={{ include "streamgate.ingress.drainSeconds" . }}
{{- if $ingress.tls.enabled }}
alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'
alb.ingress.kubernetes.io/ssl-redirect: "443"
{{- end }}
{{- else if and (eq $ingress.flavor "gke") $ingress.className -}}
kubernetes.io/ingress.class: {{ $ingress.className | quote }}
{{- end }}
{{- end }}

{{/* Contradictions that a schema cannot tell. Included by _checks.tpl. */}}
{{- define "streamgate.ingress.checks" -}}
{{- $ingress := .Values.ingress -}}
{{- if $ingress.enabled -}}
{{- if and (eq $ingress.flavor "aws-alb") (eq $ingress.stickiness "source") -}}
{{- fail "ingress.stickiness: an ALB knows cookies only; use auto or cookie, or an NLB (docs/platform/ingress.md)" -}}
{{- end -}}
{{- if and (eq $ingress.flavor "websocket-only") (ne $ingress.stickiness "auto") -}}
{{- fail "ingress.stickiness: websocket-only has none; use auto, or the flavor of your controller" -}}
{{- end -}}
{{- if and (eq $ingress.flavor "istio") (not $ingress.istio.gateways) -}}
{{- fail "ingress.istio.gateways: name the Gateway that serves the host, as [istio-system/public]" -}}
{{- end -}}
{{- if and (eq $ingress.flavor "envoy-gateway") (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs: name the Gateway that serves the host, as [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- if and (eq $ingress.flavor "contour") $ingress.tls.enabled (not $ingress.tls.secretName) -}}
{{- fail "ingress.tls.secretName: Contour has no certificate of its own; name the Secret" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs: name the Gateway that serves the host, as [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.hostnames) (not $ingress.host) -}}
{{- fail "gateway.hostnames: set the host names under which clients connect, or ingress.host" -}}
{{- end -}}
{{- if and (or .Values.keda.enabled .Values.autoscaling.enabled) (lt (int64 .Values.autoscaling.behavior.scaleDownPeriodSeconds) (int64 .Values.drain.seconds)) -}}
{{- fail (printf "autoscaling.behavior.scaleDownPeriodSeconds: one pod must have drained before the next leaves; at least drain.seconds, %d" (int64 .Values.drain.seconds)) -}}
{{- end -}}
{{- end }}
