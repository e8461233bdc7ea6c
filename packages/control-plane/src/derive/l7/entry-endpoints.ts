/**
 * Endpoints of ServiceEntries as clusters know them (recording l7/22). There they are told apart by their place in the
 * entry and described by their own labels; to node proxies they are all the entry.
 */
import type { Workload } from '@aquifer/model';
import type { ServiceEntry } from '@aquifer/model/resources';
import { nameOf } from '../object.ts';
import type { Resource } from '../resource.ts';
import { canonicalName, canonicalRevision } from '../workloads.ts';

/** `workload` is one that was made of the entry. */
export function entryEndpoint(
  workload: Resource<Workload>,
  entry: ServiceEntry,
): Resource<Workload> {
  const endpoints = entry.spec?.endpoints ?? [];
  const place = endpoints.findIndex(({ address = '' }) => workload.name.endsWith(`/${address}`));
  const labels = endpoints[place]?.labels ?? {};
  const workloadName = place < 0 ? nameOf(entry) : `${nameOf(entry)}-${place}`;
  return {
    ...workload,
    value: {
      ...workload.value,
      workloadName,
      canonicalName: canonicalName(labels) ?? workloadName,
      canonicalRevision: canonicalRevision(labels) ?? 'latest',
    },
  };
}
