{{- /* The pod of one kind of agent. Called with (dict "root" $ "kind" "node" | "cluster"). */ -}}
{{- define "tributary.pod" -}}
{{- $values := .root.Values -}}
{{- $own := index $values .kind -}}
metadata:
  labels:
    {{- include "tributary.selector" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed configuration is a new pod.
    checksum/config: {{ include "tributary.config" . | sha256sum }}
    prometheus.io/scrape: "true"
    prometheus.io/port: "9095"
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tributary.name" .root }}-{{ .kind }}
  terminationGracePeriodSeconds: {{ add $values.drainSeconds 15 }}
  {{- with $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: {{ ne $own.persistence "hostPath" }}
    runAsUser: 65534
    runAsGroup: 65534
    fsGroup: 65534
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- if eq $own.persistence "hostPath" }}
  initContainers:
    # Kubelets make the folder as root; the agent is not.
    - name: own-folder
      image: {{ $values.initImage }}
      command: [chown, "65534:65534", /data]
      resources:
        requests: {cpu: 10m, memory: 16Mi}
        limits: {memory: 32Mi}
      securityContext:
        runAsUser: 0
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL], add: [CHOWN]}
      volumeMounts:
        - {name: data, mountPath: /data}
  {{- end }}
  containers:
    - name: tributary
      image: {{ include "tributary.image" .root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args:
        - --config.file=/etc/tributary/agent.yml
        - --config.expand-env
        - --web.listen-address={{ $values.listen }}:9095
        - --storage.path=/data/log
        - --storage.retention.size={{ include "tributary.retention" $own.size }}
        - --shutdown.deadline={{ $values.drainSeconds }}s
        - --log.level={{ $values.logLevel }}
        {{- if and (eq .kind "cluster") (gt (int $own.shards) 1) }}
        # Each takes its share of the targets, by the number that ends the pod's name.
        - --shard=hostname/{{ $own.shards }}
        {{- end }}
        {{- range $values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      # What the configuration calls %{NODE_NAME} and %{POD_NAME}; HOST_IP is the agent's own, for --scrape.local-identity.
      env:
        - name: NODE_NAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        - name: HOST_IP
          valueFrom: {fieldRef: {fieldPath: status.hostIP}}
      ports:
        - {name: http, containerPort: 9095}
      readinessProbe:
        httpGet: {path: /-/ready, port: http}
        periodSeconds: 5
        timeoutSeconds: 3
      livenessProbe:
        httpGet: {path: /-/healthy, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      securityContext:
        runAsNonRoot: true
        {{- include "tributary.restricted" . | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/tributary, readOnly: true}
        - {name: data, mountPath: /data}
        {{- if $values.remoteWriteSecret }}
        - {name: secret, mountPath: /etc/tributary-secret, readOnly: true}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "tributary.name" .root }}-{{ .kind }}
    {{- with $values.remoteWriteSecret }}
    - name: secret
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- if eq $own.persistence "emptyDir" }}
    - name: data
      emptyDir: {sizeLimit: {{ $own.size }}}
    {{- else if eq $own.persistence "hostPath" }}
    - name: data
      hostPath: {path: {{ $own.hostPath }}, type: DirectoryOrCreate}
    {{- end }}
{{- end }}
