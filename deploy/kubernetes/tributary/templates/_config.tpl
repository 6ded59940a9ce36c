{{- /* The configuration file of one kind of agent. Called with (dict "root" $ "kind" "node" | "cluster"). */ -}}
{{- define "tributary.config" -}}
{{- $values := .root.Values -}}
{{- $labels := merge (dict) $values.externalLabels -}}
{{- with $values.clusterName }}{{ $_ := set $labels "cluster" . }}{{ end -}}
global:
  scrape_interval: {{ $values.scrapeInterval }}
  {{- with $labels }}
  external_labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
scrape_configs:
{{- tpl (.root.Files.Get (printf "files/%s.yml" .kind)) .root | trimSuffix "\n" }}
remote_write:
{{ toYaml $values.remoteWrite }}
{{- end }}

{{- /* What the annotations prometheus.io/scheme, path and param_* say. Called with "pod" or "service". */ -}}
{{- define "tributary.annotations" -}}
- source_labels: [__meta_kubernetes_{{ . }}_annotation_prometheus_io_scheme]
  regex: (https?)
  target_label: __scheme__
- source_labels: [__meta_kubernetes_{{ . }}_annotation_prometheus_io_path]
  regex: (.+)
  target_label: __metrics_path__
- regex: __meta_kubernetes_{{ . }}_annotation_prometheus_io_param_(.+)
  replacement: __param_$1
  action: labelmap
{{- end }}
