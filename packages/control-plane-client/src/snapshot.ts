/**
 * The workload state alone, for threads that decide about connections: gRPC, ASN.1 and protobuf stay out of their memory.
 */
export { pickService } from './workload-state/service-choice.ts';
export type { SnapshotDelta, WorkloadView } from './workload-state/snapshot.ts';
export { SnapshotReader, WorkloadSnapshot } from './workload-state/snapshot.ts';
