/** Columns and cells of the built-in kinds (kubernetes `printers/internalversion/printers.go`). */
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

function servicePorts(service: ApiObject): string {
  const ports = objects(specOf(service).ports).map((port) => {
    const nodePort = count(port.nodePort) > 0 ? `:${String(port.nodePort)}` : '';
    return `${String(port.port)}${nodePort}/${String(port.protocol)}`;
  });
  return ports.length === 0 ? '<none>' : ports.join(',');
}

function externalAddress(service: ApiObject): string {
  const spec = specOf(service);
  const given = listOr(spec.externalIPs).map(String);
  if (spec.type === 'ExternalName') return stringOr(spec.externalName) ?? '';
  if (spec.type === 'LoadBalancer') {
    const balancers = objects(objectOr(statusOf(service).loadBalancer).ingress).map(
      (item) => stringOr(item.ip) ?? stringOr(item.hostname) ?? '',
    );
    const all = [...balancers, ...given];
    return all.length === 0 ? '<pending>' : all.join(',');
  }
  return given.length === 0 ? '<none>' : given.join(',');
}

function slicePorts(slice: ApiObject): string {
  const ports = objects(slice.ports).map((port) => (port.port === null ? '*' : String(port.port)));
  return ports.length === 0 ? '<unset>' : shortList(ports, 3);
}

function sliceEndpoints(slice: ApiObject): string {
  const addresses = objects(slice.endpoints).flatMap((item) => listOr(item.addresses).map(String));
  return addresses.length === 0 ? '<unset>' : shortList(addresses, 3);
}

function endpointAddresses(endpoints: ApiObject): string {
  const all = objects(endpoints.subsets).flatMap((subset) =>
    objects(subset.ports).flatMap((port) =>
      objects(subset.addresses).map((address) => `${String(address.ip)}:${String(port.port)}`),
    ),
  );
  return all.length === 0 ? '<none>' : shortList(all, 3);
}

function nodeStatus(node: ApiObject): string {
  const ready = objects(statusOf(node).conditions).find((item) => item.type === 'Ready');
  const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return specOf(node).unschedulable === true ? `${state},SchedulingDisabled` : state;
}

function nodeRoles(node: ApiObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.keys(node.metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map((label) => label.slice(prefix.length))
    .toSorted();
  return roles.length === 0 ? '<none>' : roles.join(',');
}

function nodeAddress(node: ApiObject, type: string): string {
  const found = objects(statusOf(node).addresses).find((item) => item.type === type);
  return stringOr(found?.address) ?? '<none>';
}

function nodeInfo(node: ApiObject, field: string): string {
  return stringOr(objectOr(statusOf(node).nodeInfo)[field]) ?? '<unknown>';
}

function lastSeen(event: ApiObject): unknown {
  const series = objectOr(event.series);
  return series.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp;
}

function eventSource(event: ApiObject): string {
  const { component, host } = objectOr(event.source);
  const parts = [component ?? event.reportingComponent, host].filter(
    (part) => typeof part === 'string',
  );
  return parts.join(', ');
}

function eventObject(event: ApiObject): string {
  const involved = objectOr(event.involvedObject);
  return `${String(involved.kind ?? '').toLowerCase()}/${String(involved.name ?? '')}`;
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
  '/pods': {
    columns: [
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
    cells: podCells,
  },
  '/namespaces': {
    columns: ['Name', 'Status', 'Age'],
    cells: (object) => [name(object), statusOf(object).phase, age(object)],
  },
  '/nodes': {
    columns: [
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
    cells: (object) => [
      name(object),
      nodeStatus(object),
      nodeRoles(object),
      age(object),
      nodeInfo(object, 'kubeletVersion'),
      nodeAddress(object, 'InternalIP'),
      nodeAddress(object, 'ExternalIP'),
      nodeInfo(object, 'osImage'),
      nodeInfo(object, 'kernelVersion'),
      nodeInfo(object, 'containerRuntimeVersion'),
    ],
  },
  '/services': {
    columns: ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector*'],
    cells: (object) => [
      name(object),
      specOf(object).type,
      stringOr(specOf(object).clusterIP) ?? '<none>',
      externalAddress(object),
      servicePorts(object),
      age(object),
      mapText(specOf(object).selector),
    ],
  },
  '/endpoints': {
    columns: ['Name', 'Endpoints', 'Age'],
    cells: (object) => [name(object), endpointAddresses(object), age(object)],
  },
  'discovery.k8s.io/endpointslices': {
    columns: ['Name', 'AddressType', 'Ports', 'Endpoints', 'Age'],
    cells: (object) => [
      name(object),
      object.addressType,
      slicePorts(object),
      sliceEndpoints(object),
      age(object),
    ],
  },
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
  '/events': {
    columns: [
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
    cells: (object) => [
      ageOf(lastSeen(object)),
      object.type,
      object.reason,
      eventObject(object),
      stringOr(objectOr(object.involvedObject).fieldPath) ?? '',
      eventSource(object),
      String(object.message ?? '').trim(),
      ageOf(object.firstTimestamp ?? object.eventTime),
      count(object.count) || 1,
      name(object),
    ],
  },
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
