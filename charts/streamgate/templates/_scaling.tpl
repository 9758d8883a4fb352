{{/* Sessions of a pod above which another is wanted. */}}
{{- define "streamgate.scaling.sessions" -}}
{{ div (mul (int64 .Values.autoscaling.sessionsPerPod) (int64 .Values.autoscaling.targetSessionsPercentage)) 100 }}
{{- end }}

{{/* Up at once, as many as it takes; down one pod at a time, since each moves people. */}}
{{- define "streamgate.scaling.behavior" -}}
{{- with .Values.autoscaling.behavior -}}
scaleUp:
  stabilizationWindowSeconds: {{ int64 .scaleUpStabilizationSeconds }}
  selectPolicy: Max
  policies:
    - type: Percent
      value: 100
      periodSeconds: 15
    - type: Pods
      value: 4
      periodSeconds: 15
scaleDown:
  stabilizationWindowSeconds: {{ int64 .scaleDownStabilizationSeconds }}
  selectPolicy: Max
  policies:
    - type: Pods
      value: 1
      periodSeconds: {{ int64 .scaleDownPeriodSeconds }}
{{- end -}}
{{- end }}

{{- define "streamgate.keda.authentication" -}}
{{- with .Values.keda.authenticationRef -}}
authenticationRef:
  name: {{ . | quote }}
{{- end -}}
{{- end }}
