{{- define "tributary.name" -}}
{{- if contains "tributary" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-tributary{{ end }}
{{- end }}

{{- define "tributary.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* The following are called with (dict "root" $ "kind" "node" | "cluster"). */ -}}

{{- define "tributary.selector" -}}
app.kubernetes.io/name: tributary
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .kind }}
{{- end }}

{{- define "tributary.labels" -}}
{{ include "tributary.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- /* Name and labels of an object. */ -}}
{{- define "tributary.metadata" -}}
name: {{ include "tributary.name" .root }}-{{ .kind }}
labels:
  {{- include "tributary.labels" . | nindent 2 }}
{{- end }}

{{- /* Three quarters of the volume are for the log: a pod whose emptyDir is over its limit is evicted. */ -}}
{{- define "tributary.retention" -}}
{{- $number := regexFind "^[0-9]+" . | int -}}
{{- if hasSuffix "Gi" . }}{{ mul $number 768 }}{{ else }}{{ div (mul $number 3) 4 }}{{ end }}MiB
{{- end }}

{{- define "tributary.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
