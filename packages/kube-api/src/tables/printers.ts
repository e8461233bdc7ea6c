/** Columns and cells of the built-in kinds (kubernetes `printers/internalversion/printers.go`). */
import type { EndpointSlice, Endpoints, Event, Node, Pod, Service } from '@aquifer/model/resources';
import type { ApiObject } from '../cluster-client.ts';
import { isObject, listOr, objectOr, stringOr } from '../json.ts';
import {
  age,
  containerCells,
  count,
  mapText,
  name,
  objects,
  replicaCells,
  selectorText,
  shortList,
  specOf,
  statusOf,
} from './cells.ts';
import { ageOf, humanDuration } from './duration.ts';
import { podCells } from './pod-cells.ts';

/** How a kind is printed. */
export interface Printer {
  /** `Name` is shown always, `Name*` only with `-o wide`. */
  readonly columns: readonly string[];
  cells(object: ApiObject): unknown[];
}

/** Of a kind with a type of its own: what is stored was checked by its schema. */
function printer<Kind>(columns: readonly string[], cells: (object: Kind) => unknown[]): Printer {
  return { columns, cells: (object) => cells(object as Kind) };
}

function servicePorts({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(
    ({ port, nodePort = 0, protocol }) =>
      `${port}${nodePort > 0 ? `:${nodePort}` : ''}/${protocol}`,
  );
  return ports.length === 0 ? '<none>' : ports.join(',');
}

function externalAddress({ spec, status }: Service): string {
  const { type, externalName = '', externalIPs = [] } = spec ?? {};
  if (type === 'ExternalName') return externalName;
  if (type !== 'LoadBalancer') return externalIPs.length === 0 ? '<none>' : externalIPs.join(',');
  const balancers = (status?.loadBalancer?.ingress ?? []).map(
    ({ ip, hostname = '' }) => ip ?? hostname,
  );
  const all = [...balancers, ...externalIPs];
  return all.length === 0 ? '<pending>' : all.join(',');
}

function slicePorts({ ports }: EndpointSlice): string {
  const numbers = (ports ?? []).map(({ port }) => (port === null ? '*' : String(port)));
  return numbers.length === 0 ? '<unset>' : shortList(numbers, 3);
}

function sliceEndpoints({ endpoints }: EndpointSlice): string {
  const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
  return addresses.length === 0 ? '<unset>' : shortList(addresses, 3);
}

function endpointAddresses({ subsets = [] }: Endpoints): string {
  const all = subsets.flatMap(({ ports = [], addresses = [] }) =>
    ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip}:${port}`)),
  );
  return all.length === 0 ? '<none>' : shortList(all, 3);
}

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable === true ? `${state},SchedulingDisabled` : state;
}

function nodeRoles({ metadata }: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.keys(metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map((label) => label.slice(prefix.length))
    .toSorted();
  return roles.length === 0 ? '<none>' : roles.join(',');
}

function nodeAddress({ status }: Node, type: string): string {
  return status?.addresses?.find((item) => item.type === type)?.address ?? '<none>';
}

function nodeInfo({ status }: Node, field: string): unknown {
  return status?.nodeInfo?.[field] ?? '<unknown>';
}

function lastSeen({ series, lastTimestamp, eventTime, firstTimestamp }: Event): unknown {
  return series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp;
}

function eventSource({ source, reportingComponent }: Event): string {
  const { component = reportingComponent, host } = source ?? {};
  return [component, host].filter((part) => part !== undefined).join(', ');
}

function eventObject({ involvedObject: { kind = '', name: subject = '' } }: Event): string {
  return `${kind.toLowerCase()}/${subject}`;
}

function subjectsOf(binding: ApiObject, kind: string): string {
  return objects(binding.subjects)
    .filter((subject) => subject.kind === kind)
    .map((subject) =>
      kind === 'ServiceAccount'
        ? `${String(subject.namespace)}/${String(subject.name)}`
        : String(subject.name),
    )
    .join(', ');
}

function jobStatus(job: ApiObject): string {
  const conditions = objects(statusOf(job).conditions).filter((item) => item.status === 'True');
  const has = (type: string): boolean => conditions.some((item) => item.type === type);
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  return has('Suspended') ? 'Suspended' : 'Running';
}

function jobDuration(job: ApiObject): string {
  const { startTime, completionTime } = statusOf(job);
  if (typeof startTime !== 'string') return '';
  const end = typeof completionTime === 'string' ? Date.parse(completionTime) : Date.now();
  return humanDuration(end - Date.parse(startTime));
}

const workloadColumns = ['Containers*', 'Images*', 'Selector*'];

function workloadCells(object: ApiObject): string[] {
  return [...containerCells(object), selectorText(specOf(object).selector)];
}

const webhooks: Printer = {
  columns: ['Name', 'Webhooks', 'Age'],
  cells: (object) => [name(object), listOr(object.webhooks).length, age(object)],
};

const roles: Printer = {
  columns: ['Name', 'Created At'],
  cells: (object) => [name(object), object.metadata.creationTimestamp],
};

const bindings: Printer = {
  columns: ['Name', 'Role', 'Age', 'Users*', 'Groups*', 'ServiceAccounts*'],
  cells: (object) => [
    name(object),
    `${String(objectOr(object.roleRef).kind)}/${String(objectOr(object.roleRef).name)}`,
    age(object),
    subjectsOf(object, 'User'),
    subjectsOf(object, 'Group'),
    subjectsOf(object, 'ServiceAccount'),
  ],
};

/** By collection; every other kind shows its name and age. */
export const printers: Readonly<Record<string, Printer>> = {
  '/pods': printer<Pod>(
    [
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
      'IP*',
      'Node*',
      'Nominated Node*',
      'Readiness Gates*',
    ],
    podCells,
  ),
  '/namespaces': {
    columns: ['Name', 'Status', 'Age'],
    cells: (object) => [name(object), statusOf(object).phase, age(object)],
  },
  '/nodes': printer<Node>(
    [
      'Name',
      'Status',
      'Roles',
      'Age',
      'Version',
      'Internal-IP*',
      'External-IP*',
      'OS-Image*',
      'Kernel-Version*',
      'Container-Runtime*',
    ],
    (node) => [
      name(node),
      nodeStatus(node),
      nodeRoles(node),
      age(node),
      nodeInfo(node, 'kubeletVersion'),
      nodeAddress(node, 'InternalIP'),
      nodeAddress(node, 'ExternalIP'),
      nodeInfo(node, 'osImage'),
      nodeInfo(node, 'kernelVersion'),
      nodeInfo(node, 'containerRuntimeVersion'),
    ],
  ),
  '/services': printer<Service>(
    ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector*'],
    (service) => [
      name(service),
      service.spec?.type,
      service.spec?.clusterIP ?? '<none>',
      externalAddress(service),
      servicePorts(service),
      age(service),
      mapText(service.spec?.selector),
    ],
  ),
  '/endpoints': printer<Endpoints>(['Name', 'Endpoints', 'Age'], (endpoints) => [
    name(endpoints),
    endpointAddresses(endpoints),
    age(endpoints),
  ]),
  'discovery.k8s.io/endpointslices': printer<EndpointSlice>(
    ['Name', 'AddressType', 'Ports', 'Endpoints', 'Age'],
    (slice) => [
      name(slice),
      slice.addressType,
      slicePorts(slice),
      sliceEndpoints(slice),
      age(slice),
    ],
  ),
  '/configmaps': {
    columns: ['Name', 'Data', 'Age'],
    cells: (object) => [
      name(object),
      Object.keys({ ...objectOr(object.data), ...objectOr(object.binaryData) }).length,
      age(object),
    ],
  },
  '/secrets': {
    columns: ['Name', 'Type', 'Data', 'Age'],
    cells: (object) => [
      name(object),
      object.type,
      Object.keys(objectOr(object.data)).length,
      age(object),
    ],
  },
  '/serviceaccounts': {
    columns: ['Name', 'Secrets', 'Age'],
    cells: (object) => [name(object), listOr(object.secrets).length, age(object)],
  },
  '/events': printer<Event>(
    [
      'Last Seen',
      'Type',
      'Reason',
      'Object',
      'Subobject*',
      'Source*',
      'Message',
      'First Seen*',
      'Count*',
      'Name*',
    ],
    (event) => [
      ageOf(lastSeen(event)),
      event.type,
      event.reason,
      eventObject(event),
      event.involvedObject.fieldPath ?? '',
      eventSource(event),
      (event.message ?? '').trim(),
      ageOf(event.firstTimestamp ?? event.eventTime),
      count(event.count) || 1,
      name(event),
    ],
  ),
  'apps/deployments': {
    columns: ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', ...workloadColumns],
    cells: (object) => [
      name(object),
      `${count(statusOf(object).readyReplicas)}/${count(specOf(object).replicas)}`,
      count(statusOf(object).updatedReplicas),
      count(statusOf(object).availableReplicas),
      age(object),
      ...workloadCells(object),
    ],
  },
  'apps/replicasets': {
    columns: ['Name', 'Desired', 'Current', 'Ready', 'Age', ...workloadColumns],
    cells: (object) => [
      name(object),
      ...replicaCells(object),
      age(object),
      ...workloadCells(object),
    ],
  },
  'apps/daemonsets': {
    columns: [
      'Name',
      'Desired',
      'Current',
      'Ready',
      'Up-to-date',
      'Available',
      'Node Selector',
      'Age',
      ...workloadColumns,
    ],
    cells: (object) => [
      name(object),
      count(statusOf(object).desiredNumberScheduled),
      count(statusOf(object).currentNumberScheduled),
      count(statusOf(object).numberReady),
      count(statusOf(object).updatedNumberScheduled),
      count(statusOf(object).numberAvailable),
      mapText(objectOr(objectOr(specOf(object).template).spec).nodeSelector),
      age(object),
      ...workloadCells(object),
    ],
  },
  'apps/statefulsets': {
    columns: ['Name', 'Ready', 'Age', 'Containers*', 'Images*'],
    cells: (object) => [
      name(object),
      `${count(statusOf(object).readyReplicas)}/${count(specOf(object).replicas)}`,
      age(object),
      ...containerCells(object),
    ],
  },
  'batch/jobs': {
    columns: ['Name', 'Status', 'Completions', 'Duration', 'Age', ...workloadColumns],
    cells: (object) => [
      name(object),
      jobStatus(object),
      `${count(statusOf(object).succeeded)}/${count(specOf(object).completions) || 1}`,
      jobDuration(object),
      age(object),
      ...workloadCells(object),
    ],
  },
  'batch/cronjobs': {
    columns: ['Name', 'Schedule', 'Timezone', 'Suspend', 'Active', 'Last Schedule', 'Age'],
    cells: (object) => [
      name(object),
      specOf(object).schedule,
      stringOr(specOf(object).timeZone) ?? '<none>',
      specOf(object).suspend === true ? 'True' : 'False',
      listOr(statusOf(object).active).length,
      isObject(object.status) && typeof object.status.lastScheduleTime === 'string'
        ? ageOf(object.status.lastScheduleTime)
        : '<none>',
      age(object),
    ],
  },
  'coordination.k8s.io/leases': {
    columns: ['Name', 'Holder', 'Age'],
    cells: (object) => [name(object), stringOr(specOf(object).holderIdentity) ?? '', age(object)],
  },
  'rbac.authorization.k8s.io/roles': roles,
  'rbac.authorization.k8s.io/clusterroles': roles,
  'apiextensions.k8s.io/customresourcedefinitions': roles,
  'rbac.authorization.k8s.io/rolebindings': bindings,
  'rbac.authorization.k8s.io/clusterrolebindings': bindings,
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhooks,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhooks,
};

/** For kinds without columns of their own. */
export const namePrinter: Printer = {
  columns: ['Name', 'Age'],
  cells: (object) => [name(object), age(object)],
};
