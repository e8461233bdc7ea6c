/** Carries wishes out: each missing write once, by whoever holds the lease. */
import type { Collection } from '../collections/collection.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import { applyOwned, noteFailure, noteOutcome, type Obstacles } from './owner.ts';
import type { Wish, Write } from './wish.ts';
import type { WriteOutcome, WriteQueue } from './write-queue.ts';

export interface MissingWrites {
  readonly api: Pick<KubernetesApi, 'get' | 'apply' | 'create' | 'mergePatch' | 'delete'>;
  readonly queue: WriteQueue;
  readonly wishes: Collection<Wish>;
  readonly obstacles: Obstacles;
  /** Called when an object turns out to be in the way, or no longer is. */
  readonly onObstacle: () => void;
}

/** Hands everything that is missing now to the queue. */
export function writeMissing(deps: MissingWrites): void {
  const { queue, wishes } = deps;
  queue.startRound(() => {
    for (const [key, { fingerprint, write }] of wishes.entries()) {
      queue.wish(key, fingerprint, () => carryOut(write, deps));
    }
  });
}

async function carryOut(write: Write, deps: MissingWrites): Promise<WriteOutcome> {
  const { api } = deps;
  switch (write.verb) {
    case 'apply':
      return api.apply(write.path, write.body, write.fieldManager);
    case 'create':
      return api.create(write.path, write.body);
    case 'mergePatch':
      return api.mergePatch(write.path, write.body);
    case 'applyOwned':
      return carryOutOwned(write, deps);
    case 'delete': {
      const { uid, resourceVersion } = write;
      await api.delete(write.path, { preconditions: { uid, resourceVersion } });
      return 'settled';
    }
  }
}

async function carryOutOwned(
  write: Extract<Write, { readonly verb: 'applyOwned' }>,
  { api, obstacles, onObstacle }: MissingWrites,
): Promise<WriteOutcome> {
  try {
    const outcome = await applyOwned(write, api);
    if (noteOutcome(obstacles, write, outcome)) onObstacle();
    return outcome;
  } catch (error) {
    if (noteFailure(obstacles, write, error)) onObstacle();
    throw error;
  }
}
