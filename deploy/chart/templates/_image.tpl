{{- define "aquifer.image" -}}
{{- $image := index . 1 -}}
{{- if contains "/" $image -}}{{ $image }}
{{- else -}}{{ with (index . 0).Values.global }}{{ .hub }}/{{ $image }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end -}}
