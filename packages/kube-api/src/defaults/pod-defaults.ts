/** Defaults of pods and pod templates (kubernetes `pkg/apis/core/v1/defaults.go`, and the admission plugins that are always on). */
import { qosClass } from '@aquifer/model/kubernetes';
import { isObject, type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import type { Storage } from '../storage/storage.ts';
import { fill, fillEmpty, itemsOf, madeObject } from './fill.ts';
import { claimSpecDefaults, hostPathDefaults } from './volume-defaults.ts';

function httpGetDefaults(holder: unknown): void {
  const httpGet = objectOr(holder).httpGet;
  if (!isObject(httpGet)) return;
  fillEmpty(httpGet, 'path', '/');
  fillEmpty(httpGet, 'scheme', 'HTTP');
}

function probeDefaults(probe: unknown): void {
  if (!isObject(probe)) return;
  httpGetDefaults(probe);
  if (isObject(probe.grpc)) fill(probe.grpc, 'service', '');
  fillEmpty(probe, 'timeoutSeconds', 1);
  fillEmpty(probe, 'periodSeconds', 10);
  fillEmpty(probe, 'successThreshold', 1);
  fillEmpty(probe, 'failureThreshold', 3);
}

function pullPolicyOf(image: string): string {
  const [named = '', digest] = image.slice(image.lastIndexOf('/') + 1).split('@');
  const tag = named.split(':')[1] ?? (digest === undefined ? 'latest' : '');
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function containerDefaults(container: JsonObject): void {
  for (const port of itemsOf(container, 'ports')) fillEmpty(port, 'protocol', 'TCP');
  for (const variable of itemsOf(container, 'env')) {
    const { fieldRef } = objectOr(variable.valueFrom);
    if (isObject(fieldRef)) fillEmpty(fieldRef, 'apiVersion', 'v1');
  }
  fill(container, 'resources', {});
  probeDefaults(container.livenessProbe);
  probeDefaults(container.readinessProbe);
  probeDefaults(container.startupProbe);
  httpGetDefaults(objectOr(container.lifecycle).postStart);
  httpGetDefaults(objectOr(container.lifecycle).preStop);
  fillEmpty(container, 'terminationMessagePath', '/dev/termination-log');
  fillEmpty(container, 'terminationMessagePolicy', 'File');
  const image = stringOr(container.image);
  if (image !== undefined) fillEmpty(container, 'imagePullPolicy', pullPolicyOf(image));
}

/** 0644, as volumes write files when nothing else is asked for. */
const FILE_MODE = 420;

function volumeDefaults(volume: JsonObject): void {
  const { name: _, ...sources } = volume;
  if (Object.values(sources).every((source) => source === null)) volume.emptyDir = {};
  for (const source of ['secret', 'configMap', 'projected', 'downwardAPI']) {
    const value = volume[source];
    if (isObject(value)) fill(value, 'defaultMode', FILE_MODE);
  }
  hostPathDefaults(volume);
  const claim = objectOr(volume.ephemeral).volumeClaimTemplate;
  if (isObject(claim)) {
    fill(claim, 'metadata', {});
    claimSpecDefaults(madeObject(claim, 'spec'));
  }
  const downward = itemsOf(objectOr(volume.downwardAPI), 'items');
  const projected = itemsOf(objectOr(volume.projected), 'sources');
  const fields = projected.flatMap((source) => itemsOf(objectOr(source.downwardAPI), 'items'));
  for (const { fieldRef } of [...downward, ...fields]) {
    if (isObject(fieldRef)) fillEmpty(fieldRef, 'apiVersion', 'v1');
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
  for (const volume of itemsOf(spec, 'volumes')) volumeDefaults(volume);
  fillEmpty(spec, 'restartPolicy', 'Always');
  fill(spec, 'terminationGracePeriodSeconds', 30);
  fillEmpty(spec, 'dnsPolicy', 'ClusterFirst');
  fill(spec, 'securityContext', {});
  fillEmpty(spec, 'schedulerName', 'default-scheduler');
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

/** What a pod has and a template has not. */
function ownContainerDefaults(spec: JsonObject): void {
  for (const container of [...itemsOf(spec, 'containers'), ...itemsOf(spec, 'initContainers')]) {
    const resources = objectOr(container.resources);
    // A limit without a request asks for the limit.
    if (isObject(resources.limits)) {
      resources.requests = { ...resources.limits, ...objectOr(resources.requests) };
    }
    if (spec.hostNetwork !== true) continue;
    for (const port of itemsOf(container, 'ports')) fillEmpty(port, 'hostPort', port.containerPort);
  }
}

/** A pod's own defaults, beyond those of its spec. */
export function podDefaults(pod: JsonObject): void {
  const spec = objectOr(pod.spec);
  fill(spec, 'serviceAccountName', stringOr(spec.serviceAccount) ?? 'default');
  podSpecDefaults(spec);
  ownContainerDefaults(spec);
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
export function admitPod(pod: JsonObject, storage: Storage): void {
  const spec = objectOr(pod.spec);
  defaultTolerations(spec);
  // Of the pod's service account, unless the pod names its own.
  if (listOr(spec.imagePullSecrets).length > 0) return;
  const namespace = stringOr(objectOr(pod.metadata).namespace) ?? '';
  const account = stringOr(spec.serviceAccountName) ?? 'default';
  const { imagePullSecrets } = objectOr(storage.get('/serviceaccounts', namespace, account));
  if (imagePullSecrets !== undefined) spec.imagePullSecrets = structuredClone(imagePullSecrets);
}
