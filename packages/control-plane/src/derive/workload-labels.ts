/** The labels of workloads, by which subsets of DestinationRules choose them. */
import type { Context } from '../collections/cell.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { labelsOf } from './object.ts';
import type { Resource } from './resource.ts';
import { labelsOfEntry } from './workload-entries.ts';

type Labels = Readonly<Record<string, string>>;

const NONE: Labels = {};

/**
 * Those of the object that the workload was made of. Of an endpoint of a ServiceEntry they are its own, found by its
 * address, which is the last part of its uid.
 */
export function workloadLabels(
  { name: uid, sources }: Pick<Resource, 'name' | 'sources'>,
  cluster: ClusterInputs,
  context: Context,
): Labels {
  const [source] = sources;
  if (source === undefined) return NONE;
  const key = objectKey(source.namespace, source.name);
  switch (source.kind) {
    case 'Pod':
      return labelsOf(context.get(cluster.of('Pod'), key));
    case 'WorkloadEntry': {
      const entry = context.get(cluster.of('WorkloadEntry'), key);
      return entry === undefined ? NONE : labelsOfEntry(entry);
    }
    case 'ServiceEntry': {
      const endpoints = context.get(cluster.of('ServiceEntry'), key)?.spec?.endpoints ?? [];
      return endpoints.find(({ address = '' }) => uid.endsWith(`/${address}`))?.labels ?? NONE;
    }
    default:
      return NONE;
  }
}
