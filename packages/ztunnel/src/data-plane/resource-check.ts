import {
  type RejectedResource,
  type ResourceBatch,
  WorkloadStore,
} from '@aquifer/control-plane-client/store';

/** A batch without what does not decode, and the names of what was left out. */
export interface CheckedBatch {
  readonly valid: ResourceBatch;
  readonly rejected: readonly RejectedResource[];
}

/** Decodes Address resources once, on the main thread, so that a NACK can name the bad ones. */
export function checkAddresses(batch: ResourceBatch): CheckedBatch {
  return without(batch, new WorkloadStore().applyAddresses(batch));
}

export function checkPolicies(batch: ResourceBatch): CheckedBatch {
  return without(batch, new WorkloadStore().applyPolicies(batch));
}

function without(batch: ResourceBatch, rejected: readonly RejectedResource[]): CheckedBatch {
  const names = new Set(rejected.map(({ name }) => name));
  const resources = batch.resources.filter(({ name }) => !names.has(name));
  return { valid: { resources, removed: batch.removed }, rejected };
}
