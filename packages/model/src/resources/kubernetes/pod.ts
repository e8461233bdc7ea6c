import { z } from 'zod';
import {
  anyObject,
  atomic,
  keyedList,
  looseConditions,
  objectOf,
  quantity,
  stringMap,
  timestamp,
} from '../field-types.ts';
import { objectMeta } from '../meta.ts';
import { defineResource } from '../resource.ts';
import {
  container,
  profile,
  resourceRequirements,
  seLinuxOptions,
  windowsOptions,
} from './container.ts';
import { affinity, toleration, topologySpreadConstraint } from './scheduling.ts';
import { volume } from './volume.ts';

const podSecurityContext = z.object({
  seLinuxOptions: seLinuxOptions.optional(),
  windowsOptions: windowsOptions.optional(),
  runAsUser: z.int().optional(),
  runAsGroup: z.int().optional(),
  runAsNonRoot: z.boolean().optional(),
  supplementalGroups: z.array(z.int()).optional(),
  supplementalGroupsPolicy: z.string().optional(),
  fsGroup: z.int().optional(),
  fsGroupChangePolicy: z.string().optional(),
  seLinuxChangePolicy: z.string().optional(),
  seccompProfile: profile.optional(),
  appArmorProfile: profile.optional(),
  sysctls: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
});

const podDnsConfig = z.object({
  nameservers: z.array(z.string()).optional(),
  searches: z.array(z.string()).optional(),
  options: z
    .array(z.object({ name: z.string().optional(), value: z.string().optional() }))
    .optional(),
});

/** Kubernetes API: an object of the same namespace, by name. */
export const localReference = atomic(z.object({ name: z.string().optional() }));

/** Specification of the desired behaviour of a pod. */
const podSpec = z.object({
  volumes: keyedList(volume, 'name').optional(),
  initContainers: keyedList(container, 'name').optional(),
  containers: keyedList(container, 'name').describe(
    'List of containers belonging to the pod. There must be at least one container in a Pod. Cannot be updated.',
  ),
  ephemeralContainers: keyedList(
    container.extend({ targetContainerName: z.string().optional() }),
    'name',
  ).optional(),
  restartPolicy: z.string().optional().describe('One of Always, OnFailure, Never. Default Always.'),
  terminationGracePeriodSeconds: z
    .int()
    .optional()
    .describe('Seconds the pod gets to end gracefully. Default 30.'),
  activeDeadlineSeconds: z.int().optional(),
  dnsPolicy: z.string().optional(),
  dnsConfig: podDnsConfig.optional(),
  nodeSelector: atomic(stringMap).optional(),
  serviceAccountName: z.string().optional(),
  serviceAccount: z.string().optional().describe('Deprecated: use serviceAccountName.'),
  automountServiceAccountToken: z.boolean().optional(),
  nodeName: z.string().optional().describe('The node this pod runs on.'),
  hostNetwork: z.boolean().optional().describe("Use the host's network namespace."),
  hostPID: z.boolean().optional(),
  hostIPC: z.boolean().optional(),
  hostUsers: z.boolean().optional(),
  hostnameOverride: z.string().optional(),
  shareProcessNamespace: z.boolean().optional(),
  securityContext: podSecurityContext.optional(),
  imagePullSecrets: keyedList(localReference, 'name').optional(),
  hostname: z.string().optional(),
  subdomain: z.string().optional(),
  setHostnameAsFQDN: z.boolean().optional(),
  affinity: affinity.optional(),
  schedulerName: z.string().optional(),
  tolerations: z.array(toleration).optional(),
  hostAliases: keyedList(
    z.object({ ip: z.string(), hostnames: z.array(z.string()).optional() }),
    'ip',
  ).optional(),
  priorityClassName: z.string().optional(),
  priority: z.int32().optional(),
  preemptionPolicy: z.string().optional(),
  readinessGates: z.array(z.object({ conditionType: z.string() })).optional(),
  runtimeClassName: z.string().optional(),
  enableServiceLinks: z.boolean().optional(),
  overhead: z.record(z.string(), quantity).optional(),
  os: z.object({ name: z.string() }).optional(),
  schedulingGates: keyedList(z.object({ name: z.string() }), 'name').optional(),
  resourceClaims: keyedList(
    z.object({
      name: z.string(),
      resourceClaimName: z.string().optional(),
      resourceClaimTemplateName: z.string().optional(),
    }),
    'name',
  ).optional(),
  resources: resourceRequirements.optional(),
  workloadRef: anyObject.optional(),
  topologySpreadConstraints: keyedList(
    topologySpreadConstraint,
    'topologyKey',
    'whenUnsatisfiable',
  ).optional(),
});

const containerState = z.object({
  waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  running: z.object({ startedAt: timestamp.optional() }).optional(),
  terminated: z
    .object({
      exitCode: z.int32(),
      signal: z.int32().optional(),
      reason: z.string().optional(),
      message: z.string().optional(),
      startedAt: timestamp.optional(),
      finishedAt: timestamp.optional(),
      containerID: z.string().optional(),
    })
    .optional(),
});

const containerStatus = z.object({
  name: z.string(),
  state: containerState.optional(),
  lastState: containerState.optional(),
  ready: z.boolean(),
  restartCount: z.int32(),
  image: z.string(),
  imageID: z.string(),
  containerID: z.string().optional(),
  started: z.boolean().optional(),
  allocatedResources: z.record(z.string(), quantity).optional(),
  resources: anyObject.optional(),
  volumeMounts: z.array(anyObject).optional(),
  user: anyObject.optional(),
  allocatedResourcesStatus: z.array(anyObject).optional(),
  stopSignal: z.string().optional(),
});

const podStatus = z.object({
  observedGeneration: z.int().optional(),
  phase: z.string().optional().describe('Pending, Running, Succeeded, Failed or Unknown.'),
  conditions: looseConditions.optional(),
  message: z.string().optional(),
  reason: z.string().optional(),
  nominatedNodeName: z.string().optional(),
  hostIP: z.string().optional(),
  hostIPs: z.array(z.object({ ip: z.string() })).optional(),
  podIP: z.string().optional(),
  podIPs: keyedList(z.object({ ip: z.string() }), 'ip').optional(),
  startTime: timestamp.optional(),
  initContainerStatuses: z.array(containerStatus).optional(),
  containerStatuses: z.array(containerStatus).optional(),
  ephemeralContainerStatuses: z.array(containerStatus).optional(),
  qosClass: z.string().optional(),
  resize: z.string().optional(),
  resourceClaimStatuses: z.array(anyObject).optional(),
});

/** What a workload's pods are made from. */
export const podTemplateSpec = z.object({
  metadata: objectMeta.optional(),
  spec: podSpec.optional(),
});

/** Kubernetes API: containers that share a network namespace. */
export const pod = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  subresources: { status: true },
  schema: objectOf({ spec: podSpec, status: podStatus.optional() }),
});

/** The TypeScript type of `pod`. */
export type Pod = z.infer<typeof pod.schema>;
/** The TypeScript type of `podSpec`. */
export type PodSpec = z.infer<typeof podSpec>;
/** The TypeScript type of `podStatus`. */
export type PodStatus = z.infer<typeof podStatus>;
/** The TypeScript type of `containerStatus`. */
export type ContainerStatus = z.infer<typeof containerStatus>;
/** The TypeScript type of `podTemplateSpec`. */
export type PodTemplateSpec = z.infer<typeof podTemplateSpec>;
