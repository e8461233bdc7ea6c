/**
 * The Kubernetes API in protobuf, as far as `kubectl` sends it: field numbers of the upstream `generated.proto` files.
 * A field is `number: [name, type]`; the types are below.
 */

/**
 * `string`, `int`, `bool`: left out when zero, as Go's JSON does. `int?`, `bool?`, `intOrString?`: Go pointers, kept when they are sent.
 * `bytes` becomes base64, `time` RFC 3339, `quantity` and `intOrString` their JSON forms. A leading `[]` repeats, `{}`
 * maps from strings; any other word names a message of this table. A field without a name is part of its parent. What is
 * `ignored` belongs to the server: a client that sends it back wishes nothing by it.
 */
/** JSON name and type of a field. */
export type FieldRow = readonly [name: string, type: string];
/** Fields by number. */
export type MessageTable = Readonly<Record<number, FieldRow>>;

const metadata: FieldRow = ['metadata', 'ObjectMeta'];

/** An object with `metadata`, `spec` and `status`. */
function withSpec(spec: string): MessageTable {
  return { 1: metadata, 2: ['spec', spec], 3: ['status', 'ignored'] };
}

/** By `apiVersion/Kind` for whole objects, by name for their parts. */
export const messages: Readonly<Record<string, MessageTable>> = {
  ObjectMeta: {
    1: ['name', 'string'],
    2: ['generateName', 'string'],
    3: ['namespace', 'string'],
    4: ['selfLink', 'ignored'],
    5: ['uid', 'string'],
    6: ['resourceVersion', 'string'],
    7: ['generation', 'int'],
    8: ['creationTimestamp', 'time'],
    9: ['deletionTimestamp', 'time'],
    10: ['deletionGracePeriodSeconds', 'int?'],
    11: ['labels', '{}string'],
    12: ['annotations', '{}string'],
    13: ['ownerReferences', '[]OwnerReference'],
    14: ['finalizers', '[]string'],
    17: ['managedFields', 'ignored'],
  },
  OwnerReference: {
    1: ['kind', 'string'],
    3: ['name', 'string'],
    4: ['uid', 'string'],
    5: ['apiVersion', 'string'],
    6: ['controller', 'bool?'],
    7: ['blockOwnerDeletion', 'bool?'],
  },
  LabelSelector: { 1: ['matchLabels', '{}string'], 2: ['matchExpressions', '[]Requirement'] },
  Requirement: { 1: ['key', 'string'], 2: ['operator', 'string'], 3: ['values', '[]string'] },

  'v1/Namespace': withSpec('NamespaceSpec'),
  NamespaceSpec: { 1: ['finalizers', '[]string'] },
  'v1/ConfigMap': {
    1: metadata,
    2: ['data', '{}string'],
    3: ['binaryData', '{}bytes'],
    4: ['immutable', 'bool?'],
  },
  'v1/Secret': {
    1: metadata,
    2: ['data', '{}bytes'],
    3: ['type', 'string'],
    4: ['stringData', '{}string'],
    5: ['immutable', 'bool?'],
  },
  'v1/ServiceAccount': {
    1: metadata,
    3: ['imagePullSecrets', '[]LocalReference'],
    4: ['automountServiceAccountToken', 'bool?'],
  },
  LocalReference: { 1: ['name', 'string'] },
  'v1/ResourceQuota': withSpec('ResourceQuotaSpec'),
  ResourceQuotaSpec: { 1: ['hard', '{}quantity'], 2: ['scopes', '[]string'] },

  'v1/Service': withSpec('ServiceSpec'),
  ServiceSpec: {
    1: ['ports', '[]ServicePort'],
    2: ['selector', '{}string'],
    3: ['clusterIP', 'string'],
    4: ['type', 'string'],
    5: ['externalIPs', '[]string'],
    7: ['sessionAffinity', 'string'],
    8: ['loadBalancerIP', 'string'],
    10: ['externalName', 'string'],
    11: ['externalTrafficPolicy', 'string'],
    13: ['publishNotReadyAddresses', 'bool'],
    17: ['ipFamilyPolicy', 'string'],
    18: ['clusterIPs', '[]string'],
    19: ['ipFamilies', '[]string'],
    22: ['internalTrafficPolicy', 'string'],
    23: ['trafficDistribution', 'string'],
  },
  ServicePort: {
    1: ['name', 'string'],
    2: ['protocol', 'string'],
    3: ['port', 'int'],
    4: ['targetPort', 'intOrString'],
    5: ['nodePort', 'int'],
    6: ['appProtocol', 'string'],
  },

  PodTemplateSpec: { 1: metadata, 2: ['spec', 'PodSpec'] },
  'v1/Pod': withSpec('PodSpec'),
  PodSpec: {
    2: ['containers', '[]Container'],
    3: ['restartPolicy', 'string'],
    4: ['terminationGracePeriodSeconds', 'int?'],
    5: ['activeDeadlineSeconds', 'int?'],
    6: ['dnsPolicy', 'string'],
    7: ['nodeSelector', '{}string'],
    8: ['serviceAccountName', 'string'],
    10: ['nodeName', 'string'],
    11: ['hostNetwork', 'bool'],
    15: ['imagePullSecrets', '[]LocalReference'],
    20: ['initContainers', '[]Container'],
    21: ['automountServiceAccountToken', 'bool?'],
  },
  Container: {
    1: ['name', 'string'],
    2: ['image', 'string'],
    3: ['command', '[]string'],
    4: ['args', '[]string'],
    5: ['workingDir', 'string'],
    6: ['ports', '[]ContainerPort'],
    7: ['env', '[]EnvVar'],
    8: ['resources', 'Resources'],
    14: ['imagePullPolicy', 'string'],
    16: ['stdin', 'bool'],
    18: ['tty', 'bool'],
  },
  ContainerPort: {
    1: ['name', 'string'],
    2: ['hostPort', 'int'],
    3: ['containerPort', 'int'],
    4: ['protocol', 'string'],
  },
  EnvVar: { 1: ['name', 'string'], 2: ['value', 'string'] },
  Resources: { 1: ['limits', '{}quantity'], 2: ['requests', '{}quantity'] },

  'apps/v1/Deployment': withSpec('DeploymentSpec'),
  DeploymentSpec: {
    1: ['replicas', 'int?'],
    2: ['selector', 'LabelSelector'],
    3: ['template', 'PodTemplateSpec'],
    4: ['strategy', 'DeploymentStrategy'],
    5: ['minReadySeconds', 'int'],
    6: ['revisionHistoryLimit', 'int?'],
    7: ['paused', 'bool'],
    9: ['progressDeadlineSeconds', 'int?'],
  },
  DeploymentStrategy: { 1: ['type', 'string'], 2: ['rollingUpdate', 'RollingUpdate'] },
  RollingUpdate: { 1: ['maxUnavailable', 'intOrString?'], 2: ['maxSurge', 'intOrString?'] },
  'batch/v1/Job': withSpec('JobSpec'),
  JobSpec: {
    1: ['parallelism', 'int?'],
    2: ['completions', 'int?'],
    3: ['activeDeadlineSeconds', 'int?'],
    4: ['selector', 'LabelSelector'],
    5: ['manualSelector', 'bool?'],
    6: ['template', 'PodTemplateSpec'],
    7: ['backoffLimit', 'int?'],
    8: ['ttlSecondsAfterFinished', 'int?'],
  },
  'batch/v1/CronJob': withSpec('CronJobSpec'),
  CronJobSpec: {
    1: ['schedule', 'string'],
    2: ['startingDeadlineSeconds', 'int?'],
    3: ['concurrencyPolicy', 'string'],
    4: ['suspend', 'bool?'],
    5: ['jobTemplate', 'JobTemplate'],
    6: ['successfulJobsHistoryLimit', 'int?'],
    7: ['failedJobsHistoryLimit', 'int?'],
    8: ['timeZone', 'string'],
  },
  JobTemplate: { 1: metadata, 2: ['spec', 'JobSpec'] },

  'networking.k8s.io/v1/Ingress': withSpec('IngressSpec'),
  IngressSpec: {
    1: ['defaultBackend', 'IngressBackend'],
    2: ['tls', '[]IngressTls'],
    3: ['rules', '[]IngressRule'],
    4: ['ingressClassName', 'string'],
  },
  IngressTls: { 1: ['hosts', '[]string'], 2: ['secretName', 'string'] },
  IngressRule: { 1: ['host', 'string'], 2: ['', 'IngressRuleValue'] },
  IngressRuleValue: { 1: ['http', 'IngressPaths'] },
  IngressPaths: { 1: ['paths', '[]IngressPath'] },
  IngressPath: {
    1: ['path', 'string'],
    2: ['backend', 'IngressBackend'],
    3: ['pathType', 'string'],
  },
  IngressBackend: { 4: ['service', 'IngressService'] },
  IngressService: { 1: ['name', 'string'], 2: ['port', 'IngressPort'] },
  IngressPort: { 1: ['name', 'string'], 2: ['number', 'int'] },

  PolicyRule: {
    1: ['verbs', '[]string'],
    2: ['apiGroups', '[]string'],
    3: ['resources', '[]string'],
    4: ['resourceNames', '[]string'],
    5: ['nonResourceURLs', '[]string'],
  },
  Subject: {
    1: ['kind', 'string'],
    2: ['apiGroup', 'string'],
    3: ['name', 'string'],
    4: ['namespace', 'string'],
  },
  RoleRef: { 1: ['apiGroup', 'string'], 2: ['kind', 'string'], 3: ['name', 'string'] },
  AggregationRule: { 1: ['clusterRoleSelectors', '[]LabelSelector'] },
  'rbac.authorization.k8s.io/v1/Role': { 1: metadata, 2: ['rules', '[]PolicyRule'] },
  'rbac.authorization.k8s.io/v1/ClusterRole': {
    1: metadata,
    2: ['rules', '[]PolicyRule'],
    3: ['aggregationRule', 'AggregationRule'],
  },
  'rbac.authorization.k8s.io/v1/RoleBinding': {
    1: metadata,
    2: ['subjects', '[]Subject'],
    3: ['roleRef', 'RoleRef'],
  },
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': {
    1: metadata,
    2: ['subjects', '[]Subject'],
    3: ['roleRef', 'RoleRef'],
  },

  'autoscaling/v1/HorizontalPodAutoscaler': withSpec('AutoscalerSpecV1'),
  AutoscalerSpecV1: {
    1: ['scaleTargetRef', 'ScaleTarget'],
    2: ['minReplicas', 'int?'],
    3: ['maxReplicas', 'int'],
    4: ['targetCPUUtilizationPercentage', 'int?'],
  },
  'autoscaling/v2/HorizontalPodAutoscaler': withSpec('AutoscalerSpec'),
  AutoscalerSpec: {
    1: ['scaleTargetRef', 'ScaleTarget'],
    2: ['minReplicas', 'int?'],
    3: ['maxReplicas', 'int'],
    4: ['metrics', '[]Metric'],
  },
  ScaleTarget: { 1: ['kind', 'string'], 2: ['name', 'string'], 3: ['apiVersion', 'string'] },
  Metric: { 1: ['type', 'string'], 4: ['resource', 'ResourceMetric'] },
  ResourceMetric: { 1: ['name', 'string'], 2: ['target', 'MetricTarget'] },
  MetricTarget: {
    1: ['type', 'string'],
    2: ['value', 'quantity'],
    3: ['averageValue', 'quantity'],
    4: ['averageUtilization', 'int?'],
  },

  'certificates.k8s.io/v1/CertificateSigningRequest': {
    1: metadata,
    2: ['spec', 'SigningRequestSpec'],
    3: ['status', 'SigningRequestStatus'],
  },
  SigningRequestSpec: {
    1: ['request', 'bytes'],
    2: ['username', 'string'],
    3: ['uid', 'string'],
    4: ['groups', '[]string'],
    5: ['usages', '[]string'],
    7: ['signerName', 'string'],
    8: ['expirationSeconds', 'int?'],
  },
  SigningRequestStatus: {
    1: ['conditions', '[]SigningRequestCondition'],
    2: ['certificate', 'bytes'],
  },
  SigningRequestCondition: {
    1: ['type', 'string'],
    2: ['reason', 'string'],
    3: ['message', 'string'],
    4: ['lastUpdateTime', 'time'],
    5: ['lastTransitionTime', 'time'],
    6: ['status', 'string'],
  },

  'policy/v1/PodDisruptionBudget': withSpec('PodDisruptionBudgetSpec'),
  PodDisruptionBudgetSpec: {
    1: ['minAvailable', 'intOrString?'],
    2: ['selector', 'LabelSelector'],
    3: ['maxUnavailable', 'intOrString?'],
  },
  'policy/v1/Eviction': { 1: metadata, 2: ['deleteOptions', 'DeleteOptions'] },
  DeleteOptions: {
    1: ['gracePeriodSeconds', 'int?'],
    4: ['propagationPolicy', 'string'],
    5: ['dryRun', '[]string'],
  },
  'v1/DeleteOptions': {
    1: ['gracePeriodSeconds', 'int?'],
    4: ['propagationPolicy', 'string'],
    5: ['dryRun', '[]string'],
  },
  'scheduling.k8s.io/v1/PriorityClass': {
    1: metadata,
    2: ['value', 'int'],
    3: ['globalDefault', 'bool'],
    4: ['description', 'string'],
    5: ['preemptionPolicy', 'string'],
  },

  'authentication.k8s.io/v1/TokenRequest': withSpec('TokenRequestSpec'),
  TokenRequestSpec: {
    1: ['audiences', '[]string'],
    3: ['boundObjectRef', 'BoundObject'],
    4: ['expirationSeconds', 'int?'],
  },
  BoundObject: {
    1: ['kind', 'string'],
    2: ['apiVersion', 'string'],
    3: ['name', 'string'],
    4: ['uid', 'string'],
  },
  'authentication.k8s.io/v1/TokenReview': withSpec('TokenReviewSpec'),
  TokenReviewSpec: { 1: ['token', 'string'], 2: ['audiences', '[]string'] },
  'authentication.k8s.io/v1/SelfSubjectReview': { 1: metadata },
  ResourceAttributes: {
    1: ['namespace', 'string'],
    2: ['verb', 'string'],
    3: ['group', 'string'],
    4: ['version', 'string'],
    5: ['resource', 'string'],
    6: ['subresource', 'string'],
    7: ['name', 'string'],
  },
  NonResourceAttributes: { 1: ['path', 'string'], 2: ['verb', 'string'] },
  AccessSpec: {
    1: ['resourceAttributes', 'ResourceAttributes'],
    2: ['nonResourceAttributes', 'NonResourceAttributes'],
  },
  SubjectAccessSpec: {
    1: ['resourceAttributes', 'ResourceAttributes'],
    2: ['nonResourceAttributes', 'NonResourceAttributes'],
    3: ['user', 'string'],
    4: ['groups', '[]string'],
    6: ['uid', 'string'],
  },
  'authorization.k8s.io/v1/SelfSubjectAccessReview': withSpec('AccessSpec'),
  'authorization.k8s.io/v1/SubjectAccessReview': withSpec('SubjectAccessSpec'),
  'authorization.k8s.io/v1/LocalSubjectAccessReview': withSpec('SubjectAccessSpec'),
  'authorization.k8s.io/v1/SelfSubjectRulesReview': withSpec('RulesReviewSpec'),
  RulesReviewSpec: { 1: ['namespace', 'string'] },
};
