/** What is analyzed: the objects of files, or those of a cluster that matter to the mesh. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { AnalyzedObject } from './analysis-process.ts';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';

/** Cluster-scoped, among the kinds that matter. */
const WITHOUT_NAMESPACE: readonly string[] = ['Namespace', 'Node', 'GatewayClass'];

/** An object, and the file that it is from. */
export interface SourcedObject {
  readonly object: AnalyzedObject;
  /** `file`, or empty for one of the cluster. */
  readonly file: string;
}

/** Objects of YAML and JSON files, and of all such files of folders; `-` is standard input. */
export function objectsOfFiles(paths: readonly string[], namespace: string): SourcedObject[] {
  return paths
    .flatMap(filesAt)
    .flatMap((file) =>
      documentsOf(file).map((object) => ({ object: inNamespace(object, namespace), file })),
    );
}

function filesAt(path: string): string[] {
  if (path === '-') return [path];
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new CliError(`${path}: no such file`);
  if (!stats.isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => /\.(ya?ml|json)$/.test(name));
  return names.toSorted().map((name) => join(path, name));
}

function documentsOf(file: string): AnalyzedObject[] {
  const documents = parseAllDocuments(readFileSync(file === '-' ? 0 : file, 'utf8'));
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new CliError(`${file}: ${error.message}`);
    return objectsIn(document.toJS(), file);
  });
}

function objectsIn(value: unknown, file: string): AnalyzedObject[] {
  if (value === null || value === undefined) return [];
  const { apiVersion, kind, metadata, items } = value as Partial<AnalyzedObject> & {
    readonly items?: readonly unknown[];
  };
  if (kind?.endsWith('List') === true && Array.isArray(items)) {
    return items.flatMap((item) => objectsIn(item, file));
  }
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || !metadata?.name) {
    throw new CliError(`${file}: a document is no Kubernetes object: apiVersion, kind and name`);
  }
  return [value as AnalyzedObject];
}

function inNamespace(object: AnalyzedObject, namespace: string): AnalyzedObject {
  if (WITHOUT_NAMESPACE.includes(object.kind) || object.metadata.namespace !== undefined) {
    return object;
  }
  return { ...object, metadata: { ...object.metadata, namespace } };
}

/** Kinds that the mesh reads of every namespace; those that are not installed have no objects. */
export async function objectsOfCluster({ core, custom }: Cluster): Promise<SourcedObject[]> {
  const { gatewayApiResources, istioResources } = await import('@aquifer/model/resources');
  const slices = { group: 'discovery.k8s.io', versions: ['v1'], plural: 'endpointslices' };
  const groups = [...gatewayApiResources, ...istioResources, slices].map(
    async ({ group, versions, plural }) => {
      for (const version of versions) {
        try {
          const list = (await custom.listClusterCustomObject({ group, version, plural })) as {
            readonly kind: string;
            readonly items: readonly object[];
          };
          return typed(`${group}/${version}`, list.kind.replace(/List$/, ''), list.items);
        } catch (error) {
          if ((error as { readonly code?: number }).code !== 404) throw error;
        }
      }
      return [];
    },
  );
  const lists = [
    core.listNamespace().then(({ items }) => typed('v1', 'Namespace', items)),
    core.listPodForAllNamespaces().then(({ items }) => typed('v1', 'Pod', items)),
    core.listServiceForAllNamespaces().then(({ items }) => typed('v1', 'Service', items)),
    core
      .listConfigMapForAllNamespaces({ fieldSelector: 'metadata.name=istio' })
      .then(({ items }) => typed('v1', 'ConfigMap', items)),
  ];
  const all = (await Promise.all([...groups, ...lists])).flat();
  const maps = await Promise.all([...parameterMaps(core, all), classDefaults(core)]);
  return [...all, ...maps.flat()].map((object) => ({ object, file: '' }));
}

type Core = Cluster['core'];

interface Reference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

/** ConfigMaps that Gateways and their classes name; others are nobody's business. */
function parameterMaps(
  core: Core,
  objects: readonly AnalyzedObject[],
): Promise<AnalyzedObject[]>[] {
  const references = objects.flatMap(({ kind, metadata, ...object }): Reference[] => {
    const { spec = {} } = object as {
      readonly spec?: {
        readonly parametersRef?: Reference;
        readonly infrastructure?: { readonly parametersRef?: Reference };
      };
    };
    if (kind === 'GatewayClass')
      return spec.parametersRef === undefined ? [] : [spec.parametersRef];
    const own = spec.infrastructure?.parametersRef;
    if (kind !== 'Gateway' || own === undefined || metadata.namespace === undefined) return [];
    return [{ ...own, namespace: metadata.namespace }];
  });
  return references.map(async ({ kind, name = '', namespace = '' }) => {
    if (kind !== 'ConfigMap' || namespace === '') return [];
    try {
      return typed('v1', 'ConfigMap', [await core.readNamespacedConfigMap({ name, namespace })]);
    } catch (error) {
      if ((error as { readonly code?: number }).code !== 404) throw error;
      return [];
    }
  });
}

async function classDefaults(core: Core): Promise<AnalyzedObject[]> {
  const labelSelector = 'gateway.istio.io/defaults-for-class';
  const { items } = await core.listConfigMapForAllNamespaces({ labelSelector });
  return typed('v1', 'ConfigMap', items);
}

/** In lists of what Kubernetes itself defines, objects have neither version nor kind. */
function typed(apiVersion: string, kind: string, items: readonly object[]): AnalyzedObject[] {
  return items.map((item) => ({ ...item, apiVersion, kind }) as unknown as AnalyzedObject);
}
