/** Carries wishes out: each missing write once, by whoever holds the lease. */
import type { Collection } from '../collections/collection.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import { applyOwned, type ForeignObjects, noteOutcome } from './owner.ts';
import type { Wish, Write } from './wish.ts';
import type { WriteOutcome, WriteQueue } from './write-queue.ts';

export interface WriterDeps {
  readonly api: Pick<KubernetesApi, 'get' | 'apply' | 'create' | 'mergePatch'>;
  readonly queue: WriteQueue;
  readonly wishes: Collection<Wish>;
  readonly foreign: ForeignObjects;
  /** Called when it turns out that an object is somebody else's, or no longer is. */
  readonly onForeign: () => void;
}

/** Hands everything that is missing now to the queue. */
export function writeMissing(deps: WriterDeps): void {
  const { queue, wishes } = deps;
  queue.startRound(() => {
    for (const [key, { fingerprint, write }] of wishes.entries()) {
      queue.wish(key, fingerprint, () => carryOut(write, deps));
    }
  });
}

async function carryOut(write: Write, deps: WriterDeps): Promise<WriteOutcome> {
  const { api, foreign, onForeign } = deps;
  switch (write.verb) {
    case 'apply':
      return api.apply(write.path, write.body, write.fieldManager);
    case 'create':
      return api.create(write.path, write.body);
    case 'mergePatch':
      return api.mergePatch(write.path, write.body);
    case 'applyOwned': {
      const outcome = await applyOwned(write, api);
      if (noteOutcome(foreign, write, outcome)) onForeign();
      return outcome;
    }
  }
}
