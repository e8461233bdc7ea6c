/**
 * The workload state alone, for threads that decide about connections: gRPC and ASN.1 stay out of their memory.
 */
export type { RejectedResource, ResourceBatch } from './subscription.ts';
export type { Endpoint, StoreChange, WorkloadView } from './workload-store.ts';
export { WorkloadStore } from './workload-store.ts';
