import { decodeRecord, isWorkload, type WorkloadStore } from '@aquifer/control-plane-client/store';
import { policyKey, type Service, serviceKey, type Workload } from '@aquifer/model';
import { TimeSlice } from '@aquifer/runtime';
import {
  type DumpedEndpoint,
  describeEndpoint,
  describePolicy,
  describeService,
  describeWorkload,
} from '@aquifer/wire';

/** One entry of the dump, described when its turn comes. */
export interface DumpItem {
  /** What the entries are sorted by. */
  readonly key: string;
  readonly describe: () => object;
}

/** The state of the mesh at one moment. */
export interface MeshDump {
  readonly workloads: readonly DumpItem[];
  readonly services: readonly DumpItem[];
  readonly policies: readonly DumpItem[];
}

const SLICE_MS = 5;

/** Endpoints of a service by the uid of the workload. */
type Endpoints = Record<string, DumpedEndpoint>;

/** Collects what the store holds now, in slices: the snapshot stays the same whatever arrives meanwhile. */
export async function meshDump(store: WorkloadStore): Promise<MeshDump> {
  const slice = new TimeSlice(SLICE_MS);
  const workloads: DumpItem[] = [];
  const services: DumpItem[] = [];
  const endpoints = new Map<string, Endpoints>();
  const policies = [...store.allPolicies()].map((policy) => ({
    key: policyKey(policy),
    describe: () => describePolicy(policy),
  }));
  for (const { segment, record } of store.snapshot.records()) {
    if (slice.isOver()) await slice.next();
    const address = decodeRecord(segment.textOf(record));
    if (isWorkload(address)) {
      addEndpoints(endpoints, address);
      const describe = () => describeWorkload(decodeRecord(segment.textOf(record)) as Workload);
      workloads.push({ key: address.uid, describe });
    } else {
      const key = serviceKey(address);
      const describe = () =>
        describeService(decodeRecord(segment.textOf(record)) as Service, endpoints.get(key) ?? {});
      services.push({ key: address.hostname, describe });
    }
  }
  return { workloads, services, policies };
}

function addEndpoints(endpoints: Map<string, Endpoints>, workload: Workload): void {
  for (const key of workload.services.keys()) {
    const ofService = endpoints.get(key) ?? {};
    ofService[workload.uid] = describeEndpoint(workload, key);
    endpoints.set(key, ofService);
  }
}
