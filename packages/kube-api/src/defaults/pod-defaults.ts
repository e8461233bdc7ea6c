/** Defaults of pods and pod templates (kubernetes `pkg/apis/core/v1/defaults.go`, and the admission plugins that are always on). */
import { isObject, type JsonObject, listOr, objectOr, stringOr } from '../json.ts';

/** Sets a field that is absent. */
export function fill(target: JsonObject, field: string, value: unknown): void {
  if (target[field] === undefined || target[field] === null) target[field] = value;
}

/** The objects of a list field; empty when there is none. */
export function itemsOf(target: JsonObject, field: string): JsonObject[] {
  return listOr(target[field]).filter(isObject);
}

function httpGetDefaults(holder: unknown): void {
  const httpGet = objectOr(holder).httpGet;
  if (!isObject(httpGet)) return;
  fill(httpGet, 'path', '/');
  fill(httpGet, 'scheme', 'HTTP');
}

function probeDefaults(probe: unknown): void {
  if (!isObject(probe)) return;
  httpGetDefaults(probe);
  if (isObject(probe.grpc)) fill(probe.grpc, 'service', '');
  fill(probe, 'timeoutSeconds', 1);
  fill(probe, 'periodSeconds', 10);
  fill(probe, 'successThreshold', 1);
  fill(probe, 'failureThreshold', 3);
}

function pullPolicyOf(image: string): string {
  const afterSlash = image.slice(image.lastIndexOf('/') + 1);
  if (afterSlash.includes('@')) return 'IfNotPresent';
  const tag = afterSlash.split(':')[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function requestDefaults(container: JsonObject): void {
  const resources = objectOr(container.resources);
  if (!isObject(resources.limits)) return;
  // A limit without a request asks for the limit.
  resources.requests = { ...resources.limits, ...objectOr(resources.requests) };
}

function containerDefaults(container: JsonObject): void {
  for (const port of itemsOf(container, 'ports')) fill(port, 'protocol', 'TCP');
  for (const variable of itemsOf(container, 'env')) {
    const { fieldRef } = objectOr(variable.valueFrom);
    if (isObject(fieldRef)) fill(fieldRef, 'apiVersion', 'v1');
  }
  fill(container, 'resources', {});
  requestDefaults(container);
  probeDefaults(container.livenessProbe);
  probeDefaults(container.readinessProbe);
  probeDefaults(container.startupProbe);
  httpGetDefaults(objectOr(container.lifecycle).postStart);
  httpGetDefaults(objectOr(container.lifecycle).preStop);
  fill(container, 'terminationMessagePath', '/dev/termination-log');
  fill(container, 'terminationMessagePolicy', 'File');
  const image = stringOr(container.image);
  if (image !== undefined) fill(container, 'imagePullPolicy', pullPolicyOf(image));
}

/** 0644, as volumes write files when nothing else is asked for. */
const FILE_MODE = 420;

function volumeDefaults(volume: JsonObject): void {
  if (Object.keys(volume).length === 1) volume.emptyDir = {};
  for (const source of ['secret', 'configMap', 'projected', 'downwardAPI']) {
    const value = volume[source];
    if (isObject(value)) fill(value, 'defaultMode', FILE_MODE);
  }
  if (isObject(volume.hostPath)) fill(volume.hostPath, 'type', '');
  const downward = itemsOf(objectOr(volume.downwardAPI), 'items');
  const projected = itemsOf(objectOr(volume.projected), 'sources');
  const fields = projected.flatMap((source) => itemsOf(objectOr(source.downwardAPI), 'items'));
  for (const { fieldRef } of [...downward, ...fields]) {
    if (isObject(fieldRef)) fill(fieldRef, 'apiVersion', 'v1');
  }
  for (const { serviceAccountToken } of projected) {
    if (isObject(serviceAccountToken)) fill(serviceAccountToken, 'expirationSeconds', 3600);
  }
}

/** All containers of a pod spec: regular, init and ephemeral. */
function containersOf(spec: JsonObject): JsonObject[] {
  return [
    ...itemsOf(spec, 'containers'),
    ...itemsOf(spec, 'initContainers'),
    ...itemsOf(spec, 'ephemeralContainers'),
  ];
}

/** What a pod and a pod template have in common. */
export function podSpecDefaults(spec: JsonObject): void {
  for (const container of containersOf(spec)) containerDefaults(container);
  if (spec.hostNetwork === true) {
    for (const port of containersOf(spec).flatMap((container) => itemsOf(container, 'ports'))) {
      fill(port, 'hostPort', port.containerPort);
    }
  }
  for (const volume of itemsOf(spec, 'volumes')) volumeDefaults(volume);
  fill(spec, 'restartPolicy', 'Always');
  fill(spec, 'terminationGracePeriodSeconds', 30);
  fill(spec, 'dnsPolicy', 'ClusterFirst');
  fill(spec, 'securityContext', {});
  fill(spec, 'schedulerName', 'default-scheduler');
  const account = stringOr(spec.serviceAccountName) ?? stringOr(spec.serviceAccount);
  if (account !== undefined && account !== '') {
    spec.serviceAccountName = account;
    spec.serviceAccount = account;
  }
}

function toleration(key: string): JsonObject {
  return { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 };
}

function defaultTolerations(spec: JsonObject): void {
  const tolerations = itemsOf(spec, 'tolerations');
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const tolerated = tolerations.some(
      (item) =>
        (item.key === key || (item.key === undefined && item.operator === 'Exists')) &&
        (item.effect === 'NoExecute' || item.effect === undefined),
    );
    if (!tolerated) tolerations.push(toleration(key));
  }
  spec.tolerations = tolerations;
}

function qosClass(spec: JsonObject): string {
  const all = [...itemsOf(spec, 'containers'), ...itemsOf(spec, 'initContainers')].map((item) =>
    objectOr(item.resources),
  );
  const asks = (resources: JsonObject, field: string): JsonObject => objectOr(resources[field]);
  if (
    all.every((r) => Object.keys({ ...asks(r, 'limits'), ...asks(r, 'requests') }).length === 0)
  ) {
    return 'BestEffort';
  }
  const guaranteed = all.every((resources) =>
    ['cpu', 'memory'].every((name) => {
      const limit = asks(resources, 'limits')[name];
      return limit !== undefined && String(limit) === String(asks(resources, 'requests')[name]);
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** A pod's own defaults, beyond those of its spec. */
export function podDefaults(pod: JsonObject): void {
  const spec = objectOr(pod.spec);
  fill(spec, 'serviceAccountName', stringOr(spec.serviceAccount) ?? 'default');
  podSpecDefaults(spec);
  fill(spec, 'enableServiceLinks', true);
  fill(spec, 'preemptionPolicy', 'PreemptLowerPriority');
  fill(spec, 'priority', 0);
  pod.spec = spec;
  const status = objectOr(pod.status);
  fill(status, 'phase', 'Pending');
  fill(status, 'qosClass', qosClass(spec));
  for (const condition of itemsOf(status, 'conditions')) {
    if (!('lastProbeTime' in condition)) condition.lastProbeTime = null;
  }
  for (const container of itemsOf(status, 'containerStatuses')) {
    fill(container, 'lastState', {});
    fill(container, 'state', {});
  }
  pod.status = status;
}

/** What admission adds to a new pod. */
export function admitPod(pod: JsonObject): void {
  defaultTolerations(objectOr(pod.spec));
}
