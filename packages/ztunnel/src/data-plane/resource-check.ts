import {
  type RejectedResource,
  type ResourceBatch,
  WorkloadStore,
} from '@aquifer/control-plane-client/store';

/** A batch as the threads get it, and what of it does not decode. */
export interface CheckedBatch {
  readonly valid: ResourceBatch;
  readonly rejected: readonly RejectedResource[];
}

/** Decodes Address resources once, on the main thread, so that a NACK can name the bad ones. */
export function checkAddresses(batch: ResourceBatch): CheckedBatch {
  return without(batch, new WorkloadStore().applyAddresses(batch));
}

/** As for addresses; but what does not decode is passed on, for every thread has to deny in its place. */
export function checkPolicies(batch: ResourceBatch): CheckedBatch {
  return { valid: batch, rejected: new WorkloadStore().applyPolicies(batch) };
}

function without(batch: ResourceBatch, rejected: readonly RejectedResource[]): CheckedBatch {
  const names = new Set(rejected.map(({ name }) => name));
  const resources = batch.resources.filter(({ name }) => !names.has(name));
  return { valid: { resources, removed: batch.removed }, rejected };
}
