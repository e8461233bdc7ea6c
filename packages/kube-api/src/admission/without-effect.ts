/**
 * What is stored, so that manifests apply, and has no effect in the sandbox: the one list of it. A write that says such a
 * thing gets a `Warning:`, and `docs/sandbox.md` is made from it.
 */
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, listOr, sameJson } from '../json.ts';

/** A collection, or a field of its objects. */
export interface WithoutEffect {
  /** `group/plural`. Each of `pods` stands for pods and the pod templates of workloads. */
  readonly collections: readonly string[] | 'pods';
  /** `spec.ports[].hostPort`; in a pod spec for `pods`. Default: the whole object. */
  readonly path?: string;
  /** Values with an effect, or without a need for one. Default: what is empty. */
  readonly unless?: readonly unknown[];
  /** What does not happen, and what to do instead. */
  readonly says: string;
}

const WEBHOOKS = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'].map(
  (plural) => `admissionregistration.k8s.io/${plural}`,
);
const DRIVERS = ['csidrivers', 'csinodes', 'csistoragecapacities', 'volumeattachments'].map(
  (plural) => `storage.k8s.io/${plural}`,
);
const DEVICES = ['deviceclasses', 'resourceclaims', 'resourceclaimtemplates', 'resourceslices'].map(
  (plural) => `resource.k8s.io/${plural}`,
);
const POLICIES = ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'].map(
  (plural) => `admissionregistration.k8s.io/${plural}`,
);
const QUEUES = ['flowschemas', 'prioritylevelconfigurations'].map(
  (plural) => `flowcontrol.apiserver.k8s.io/${plural}`,
);

/** Whole kinds. */
const KINDS: readonly WithoutEffect[] = [
  { collections: ['/limitranges'], says: 'does not apply limit ranges' },
  {
    collections: ['/replicationcontrollers'],
    says: 'does not run replication controllers; use a Deployment',
  },
  { collections: ['/resourcequotas'], says: 'does not enforce quotas' },
  { collections: POLICIES, says: 'does not enforce admission policies; webhooks are called' },
  { collections: ['apiregistration.k8s.io/apiservices'], says: 'does not serve aggregated APIs' },
  {
    collections: ['autoscaling/horizontalpodautoscalers'],
    says: 'does not scale workloads by itself; use kubectl scale',
  },
  {
    collections: ['networking.k8s.io/ingresses'],
    says: 'runs no ingress controller; use a Gateway, which the mesh serves',
  },
  {
    collections: ['certificates.k8s.io/certificatesigningrequests'],
    says: 'signs no certificates; whoever signs for this signer has to run in a pod',
  },
  {
    collections: ['scheduling.k8s.io/priorityclasses'],
    says: 'neither orders nor preempts pods by priority',
  },
  { collections: ['node.k8s.io/runtimeclasses'], says: 'has one way to run containers' },
  { collections: DRIVERS, says: 'runs no storage drivers' },
  {
    collections: ['storage.k8s.io/storageclasses'],
    says: 'makes volumes of the class "standard" only; claims of this class wait',
  },
  { collections: DEVICES, says: 'allocates no devices' },
  { collections: QUEUES, says: 'does not queue requests by priority' },
];

/** Fields of pods, and of the templates that workloads make pods from. */
const POD_FIELDS: readonly WithoutEffect[] = [
  { path: 'containers[].resources.limits', says: 'does not enforce limits' },
  {
    path: 'containers[].ports[].hostPort',
    says: 'opens no ports on nodes; use a NodePort Service',
  },
  {
    path: 'containers[].securityContext.readOnlyRootFilesystem',
    says: 'lets containers write to their root',
  },
  {
    path: 'containers[].securityContext.capabilities.drop',
    unless: [['ALL']],
    says: 'takes capabilities away only where ALL are dropped',
  },
  { path: 'containers[].securityContext.seccompProfile', says: 'applies no seccomp profiles' },
  { path: 'containers[].securityContext.appArmorProfile', says: 'applies no AppArmor profiles' },
  { path: 'containers[].securityContext.seLinuxOptions', says: 'applies no SELinux labels' },
  {
    path: 'containers[].terminationMessagePath',
    unless: ['/dev/termination-log'],
    says: 'reads no termination messages',
  },
  { path: 'containers[].lifecycle.stopSignal', says: 'ends containers with SIGTERM' },
  {
    path: 'containers[].volumeMounts[].mountPropagation',
    unless: ['None'],
    says: 'propagates no mounts',
  },
  { path: 'containers[].volumeDevices', says: 'has no block devices' },
  { path: 'volumes[].emptyDir.sizeLimit', says: 'does not enforce the size of volumes' },
  { path: 'securityContext.seccompProfile', says: 'applies no seccomp profiles' },
  { path: 'securityContext.appArmorProfile', says: 'applies no AppArmor profiles' },
  { path: 'securityContext.seLinuxOptions', says: 'applies no SELinux labels' },
  { path: 'securityContext.sysctls', says: 'sets no sysctls of pods' },
  { path: 'activeDeadlineSeconds', says: 'does not end pods at a deadline' },
  { path: 'shareProcessNamespace', says: 'shares the process namespace of the machine among all' },
  { path: 'hostIPC', says: 'shares the IPC namespace of the machine among all' },
  { path: 'hostUsers', unless: [true], says: 'makes no user namespaces' },
  { path: 'runtimeClassName', says: 'has one way to run containers' },
  { path: 'setHostnameAsFQDN', says: 'gives pods short host names' },
  {
    path: 'affinity.podAffinity',
    says: 'places pods without looking at other pods; use node affinity',
  },
  {
    path: 'affinity.podAntiAffinity',
    says: 'places pods without looking at other pods; each goes to the node with the fewest',
  },
  {
    path: 'affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution',
    says: 'places pods by required node affinity only',
  },
  {
    path: 'topologySpreadConstraints',
    says: 'places each pod on the node with the fewest, whatever its topology',
  },
].map((row) => ({ ...row, collections: 'pods' as const }));

/** Fields of other kinds. */
const FIELDS: readonly WithoutEffect[] = [
  {
    collections: ['/services'],
    path: 'spec.externalTrafficPolicy',
    unless: ['Cluster'],
    says: 'sends traffic from outside to the endpoints of all nodes',
  },
  {
    collections: ['/services'],
    path: 'spec.internalTrafficPolicy',
    unless: ['Cluster'],
    says: 'sends traffic without the mesh to the endpoints of all nodes',
  },
  {
    collections: ['/services'],
    path: 'spec.trafficDistribution',
    says: 'sends traffic without the mesh to the endpoints of all nodes',
  },
  {
    collections: ['/services'],
    path: 'spec.externalIPs',
    says: 'accepts traffic at cluster addresses and node ports only',
  },
  {
    collections: ['/services'],
    path: 'spec.loadBalancerSourceRanges',
    says: 'lets every source reach load balancers',
  },
  {
    collections: ['apps/deployments'],
    path: 'spec.progressDeadlineSeconds',
    unless: [600],
    says: 'does not give up roll-outs',
  },
  {
    collections: ['apps/statefulsets'],
    path: 'spec.persistentVolumeClaimRetentionPolicy.whenDeleted',
    unless: ['Retain'],
    says: 'keeps the claims of StatefulSets',
  },
  {
    collections: ['apps/statefulsets'],
    path: 'spec.persistentVolumeClaimRetentionPolicy.whenScaled',
    unless: ['Retain'],
    says: 'keeps the claims of StatefulSets',
  },
  ...[
    ['spec.podFailurePolicy', 'counts every failed pod of a job'],
    ['spec.successPolicy', 'completes jobs by the number of pods that succeeded'],
    ['spec.backoffLimitPerIndex', 'counts failed pods of a job together'],
  ].map(([path = '', says = '']) => ({ collections: ['batch/jobs'], path, says })),
  {
    collections: ['rbac.authorization.k8s.io/clusterroles'],
    path: 'aggregationRule',
    says: 'does not gather the rules of other roles; list them',
  },
  {
    collections: WEBHOOKS,
    path: 'webhooks[].matchConditions',
    says: 'calls webhooks whatever their conditions',
  },
  {
    collections: ['admissionregistration.k8s.io/mutatingwebhookconfigurations'],
    path: 'webhooks[].reinvocationPolicy',
    unless: ['Never'],
    says: 'calls each webhook once',
  },
  {
    collections: ['apiextensions.k8s.io/customresourcedefinitions'],
    path: 'spec.conversion.strategy',
    unless: ['None'],
    says: 'does not ask conversion webhooks; versions differ by name only',
  },
];

/** All of it, kinds first. */
export const WITHOUT_EFFECT: readonly WithoutEffect[] = [...KINDS, ...POD_FIELDS, ...FIELDS];

/** Where pods are described, by collection. */
const POD_SPECS: Readonly<Record<string, string>> = {
  '/pods': 'spec',
  'apps/deployments': 'spec.template.spec',
  'apps/replicasets': 'spec.template.spec',
  'apps/statefulsets': 'spec.template.spec',
  'apps/daemonsets': 'spec.template.spec',
  'batch/jobs': 'spec.template.spec',
  'batch/cronjobs': 'spec.jobTemplate.spec.template.spec',
};

/** The places in this collection that a row is about; the empty one is the whole object. */
function placesOf({ collections, path = '' }: WithoutEffect, collection: string): string[] {
  if (collections !== 'pods') return collections.includes(collection) ? [path] : [];
  const spec = POD_SPECS[collection];
  if (spec === undefined) return [];
  const ofInit = path.startsWith('containers[]') ? [`${spec}.init${path.replace('c', 'C')}`] : [];
  return [`${spec}.${path}`, ...ofInit];
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || value === 0;
}

/** All values at a path, through every item of its lists. */
function valuesAt(value: unknown, [part, ...rest]: readonly string[]): readonly unknown[] {
  if (part === undefined || part === '') return [value];
  const isList = part.endsWith('[]');
  const found = isObject(value) ? value[isList ? part.slice(0, -2) : part] : undefined;
  return (isList ? listOr(found) : [found]).flatMap((item) => valuesAt(item, rest));
}

function says(row: WithoutEffect, place: string, object: JsonObject): boolean {
  const { unless = [false] } = row;
  return valuesAt(object, place.split('.')).some(
    (value) => !isEmpty(value) && !unless.some((other) => sameJson(other, value)),
  );
}

/**
 * What to tell whoever writes the object: a sentence for each row of the table that it newly meets. Kinds are told about on
 * every write, fields when they were not there before.
 */
export function warningsOf(
  collection: string,
  object: JsonObject,
  previous: ApiObject | null,
): readonly string[] {
  const sentences = WITHOUT_EFFECT.flatMap((row) => {
    const place = placesOf(row, collection).find((at) => says(row, at, object));
    if (place === undefined) return [];
    if (place !== '' && previous !== null && says(row, place, { ...previous })) return [];
    return [`${place === '' ? '' : `${place}: `}the sandbox ${row.says}`];
  });
  return [...new Set(sentences)];
}
