{{/* A rule of `egress`. Takes (dict "ports" list "to" list). */}}
{{- define "streamgate.egress" }}
    - ports:
        {{- range .ports }}
        - port: {{ int64 . }}
        {{- end }}
      {{- include "streamgate.peers" (dict "to" .to) }}
{{- end }}

{{/* The same over UDP, too. */}}
{{- define "streamgate.dnsEgress" }}
    - ports:
        {{- range .ports }}
        - port: {{ int64 . }}
          protocol: UDP
        - port: {{ int64 . }}
        {{- end }}
      {{- include "streamgate.peers" (dict "to" .to) }}
{{- end }}

{{/* `from` or `to` of a rule; nothing, which means anywhere, when there are none. */}}
{{- define "streamgate.peers" -}}
{{- range $key, $peers := . }}
{{- with $peers }}
{{- dict $key . | toYaml | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
