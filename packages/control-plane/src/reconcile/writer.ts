/** One lease and one queue: of all who want the lease, its holder carries out the wishes. */
import type { Logger } from '@aquifer/runtime';
import type { Collection } from '../collections/collection.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import { writeMissing } from './apply.ts';
import { type LeaseTimes, WriterLease } from './lease.ts';
import type { Obstacles } from './owner.ts';
import type { Wish } from './wish.ts';
import { WriteQueue } from './write-queue.ts';

export interface WriterDeps {
  readonly api: KubernetesApi;
  readonly log: Logger;
  readonly lease: LeaseSettings;
  readonly wishes: Collection<Wish>;
  readonly obstacles: Obstacles;
  /** Called when an object turns out to be in the way, or no longer is. */
  readonly onObstacle: () => void;
  /** Whether everything that wishes are derived from is known. */
  readonly isReady: () => boolean;
}

interface LeaseSettings {
  readonly namespace: string;
  readonly name: string;
  /** Unique among all who want the lease. */
  readonly holder: string;
  readonly times: LeaseTimes;
}

export class Writer {
  readonly #deps: WriterDeps;
  readonly #lease: WriterLease;
  readonly #queue: WriteQueue;
  readonly #api: KubernetesApi;

  constructor(deps: WriterDeps) {
    const { api, log, lease } = deps;
    this.#deps = deps;
    this.#lease = new WriterLease({
      ...lease,
      api,
      log: log.scope('lease'),
      onGained: () => this.write(),
    });
    this.#queue = new WriteQueue({
      log: log.scope('write'),
      recheck: () => this.write(),
      mayWrite: () => this.#lease.isHeld,
    });
    // What was begun in time ends in time, too: before anybody else may write.
    this.#api = api.within(() => this.#lease.leftMs);
  }

  start(): void {
    this.#lease.start();
  }

  /** Hands everything that is missing now to the queue, if it may be written. */
  write(): void {
    const { isReady, wishes, obstacles, onObstacle } = this.#deps;
    if (!isReady() || !this.#lease.isHeld) return;
    writeMissing({ api: this.#api, queue: this.#queue, wishes, obstacles, onObstacle });
  }

  /** Resolves when what is under way has ended and the lease is given up. */
  async stop(): Promise<void> {
    await this.#queue.stop();
    await this.#lease.stop();
  }
}
