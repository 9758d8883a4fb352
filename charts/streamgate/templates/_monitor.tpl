{{/* How a ServiceMonitor or PodMonitor scrapes. Takes (dict "root" $ "monitor" .Values.serviceMonitor). */}}
{{- define "streamgate.endpoint" -}}
- port: management
  path: /metrics
  interval: {{ .monitor.interval }}
  scrapeTimeout: {{ .monitor.scrapeTimeout }}
  {{- with .monitor.relabelings }}
  relabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
