/** What is kept of an object: of kinds that there are many of, only what is read. */
import { controllerOf } from '@aquifer/model/kubernetes';
import type { ConfigMap, Node, ObjectMeta, Pod, Secret } from '@aquifer/model/resources';
import type { StoredObject } from './cluster-inputs.ts';
import { MANAGED_LABEL, type WatchedKind } from './kinds.ts';

/** Written by kubectl: the whole object once more. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** May change the object, which is nobody else's. */
export function project(kind: WatchedKind, object: StoredObject): StoredObject {
  const metadata = object.metadata as { managedFields?: unknown; annotations?: object };
  keepOwnFields(metadata, object.metadata.labels?.[MANAGED_LABEL] !== undefined);
  dropNulls(object);
  try {
    if (metadata.annotations !== undefined && LAST_APPLIED in metadata.annotations) {
      delete metadata.annotations[LAST_APPLIED];
    }
    const projection = PROJECTIONS[kind];
    return projection === undefined ? object : projection(object);
  } catch {
    // Not what the API promises: whoever derives from it says so, and the others go on.
    return object;
  }
}

const PROJECTIONS: Readonly<Partial<Record<WatchedKind, (object: StoredObject) => StoredObject>>> =
  {
    Pod: (object) => projectPod(object as Pod),
    Node: (object) => projectNode(object as Node),
    Secret: (object) => projectData(object as Secret),
    RootConfigMap: (object) => projectData(object as ConfigMap),
  };

/**
 * Bookkeeping of the API server, often larger than the object: kept where it says which fields of an object of a Gateway
 * were applied.
 */
function keepOwnFields(metadata: { managedFields?: unknown }, isManaged: boolean): void {
  const entries = metadata.managedFields;
  const applied = isManaged && Array.isArray(entries) ? entries.filter(isApplied) : [];
  if (applied.length === 0) delete metadata.managedFields;
  else metadata.managedFields = applied;
}

function isApplied(entry: unknown): boolean {
  const { operation, subresource = '' } = (entry ?? {}) as {
    readonly operation?: unknown;
    readonly subresource?: unknown;
  };
  return operation === 'Apply' && subresource === '';
}

/** Null says that a field is not there, as the API server takes it; files that nobody has applied still have it. */
function dropNulls(value: object): void {
  for (const [name, inner] of Object.entries(value)) {
    if (inner === null) delete (value as Record<string, unknown>)[name];
    else if (typeof inner === 'object') dropNulls(inner);
  }
}

function projectPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  return {
    apiVersion,
    kind,
    metadata: podMetadata(metadata),
    ...(spec !== undefined && { spec: podSpec(spec) }),
    ...(status !== undefined && { status: podStatus(status) }),
  } as Pod;
}

function podMetadata(metadata: ObjectMeta): ObjectMeta {
  const { generateName, deletionTimestamp } = metadata;
  const controller = controllerOf({ metadata });
  return {
    ...identity(metadata),
    ...(generateName !== undefined && { generateName }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(controller !== null && { ownerReferences: [controller] }),
  };
}

type PodSpec = NonNullable<Pod['spec']>;

function podSpec(spec: PodSpec): object {
  const { nodeName, serviceAccountName, hostNetwork, containers, initContainers } = spec;
  return {
    nodeName,
    serviceAccountName,
    ...(hostNetwork === true && { hostNetwork }),
    containers: namedPorts(containers),
    initContainers: namedPorts(initContainers),
  };
}

function podStatus({ phase, podIP, podIPs, conditions }: NonNullable<Pod['status']>): object {
  const kept = conditions?.filter(({ type }) => KEPT_CONDITIONS.includes(type));
  return { phase, podIP, podIPs, ...(kept !== undefined && { conditions: kept }) };
}

const KEPT_CONDITIONS: readonly string[] = ['Ready', 'ambient.istio.io/Captured'];

type Container = NonNullable<PodSpec['containers']>[number];

/** Ports are looked up by name only. */
function namedPorts(containers: readonly Container[] = NO_CONTAINERS): readonly Container[] {
  const named = containers.flatMap(({ name, ports = [], ...rest }) => {
    const kept = ports.filter((port) => port.name !== undefined);
    const { restartPolicy } = rest as { readonly restartPolicy?: string };
    return kept.length === 0
      ? []
      : [{ name, ports: kept, ...(restartPolicy !== undefined && { restartPolicy }) } as Container];
  });
  return named.length === 0 ? NO_CONTAINERS : named;
}

const NO_CONTAINERS: readonly Container[] = [];

function projectNode({ apiVersion, kind, metadata }: Node): Node {
  return { apiVersion, kind, metadata: identity(metadata) } as Node;
}

function identity(metadata: ObjectMeta): ObjectMeta {
  const { namespace, name, uid, resourceVersion, labels, annotations } = metadata;
  return {
    ...(namespace !== undefined && { namespace }),
    ...{ name, uid, resourceVersion, labels, annotations },
  };
}

/** What certificates, their keys and those of authorities are called, in either of two customs. */
const CERTIFICATE_KEYS: readonly string[] = [
  'tls.crt',
  'tls.key',
  'ca.crt',
  'ca.crl',
  'cert',
  'key',
  'cacert',
  'crl',
];

/** Of whatever else it holds the names are kept, which messages tell. */
function projectData(object: Secret | ConfigMap): StoredObject {
  const { apiVersion, kind, metadata, data } = object;
  const kept = Object.entries(data ?? {}).map(([key, value]) => {
    return [key, CERTIFICATE_KEYS.includes(key) ? value : ''];
  });
  const { type } = object as Secret;
  return {
    apiVersion,
    kind,
    metadata: identity(metadata),
    ...(type !== undefined && { type }),
    data: Object.fromEntries(kept),
  } as StoredObject;
}
