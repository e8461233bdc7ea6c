/**
 * The workload state as the thread that follows the control plane writes it. Threads that read it import
 * `@aquifer/control-plane-client/snapshot`.
 */
export type { KnownPolicy } from './workload-state/policy-store.ts';
export { decodeRecord, isWorkload } from './workload-state/record.ts';
export type { StoreChange, WorkloadStoreOptions } from './workload-state/workload-store.ts';
export { WorkloadStore } from './workload-state/workload-store.ts';
