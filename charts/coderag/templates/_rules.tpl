{{- /* What the operator may do to stacks and their children. The end-to-end run compares these rules with the audit log: nothing unused, nothing refused. */ -}}
{{- define "coderag.operatorRules" -}}
- apiGroups: [coderag.dev]
  resources: [coderagstacks]
  verbs: [list, watch]
- apiGroups: [coderag.dev]
  resources: [coderagstacks/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [apps]
  resources: [replicasets] # the template that a rollback puts back
  verbs: [get]
- apiGroups: [batch]
  resources: [cronjobs, jobs] # a CronJob only where an evaluation has a schedule
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims, serviceaccounts, services]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [resource.k8s.io]
  resources: [resourceclaims] # gpu.sharing DRA: one claim for both model servers
  verbs: [create, delete, get, list, patch, watch]
- apiGroups: [""]
  resources: [pods] # labels say who serves a role; a server that hangs, and a pod that a restarted node left, are deleted
  verbs: [delete, list, patch, watch]
- apiGroups: [""]
  resources: [pods/log] # what a model server says of its buffers when it starts, held against the plan
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
{{- /* What belongs to no namespace: which nodes have a GPU, how they share it, how much memory it has. */ -}}
{{- define "coderag.nodeRules" }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
- apiGroups: [resource.k8s.io]
  resources: [resourceslices]
  verbs: [list]
{{- end -}}
