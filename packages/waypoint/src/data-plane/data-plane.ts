import type { RejectedResource, ResourceBatch } from '@aquifer/control-plane-client';
import type { WorkloadCertificate } from '@aquifer/hbone';
import { ThreadPool } from '@aquifer/runtime';
import { addUp, type ClusterStatus } from '../clusters/cluster-status.ts';
import type { ConnectionSeries } from '../telemetry/connection-telemetry.ts';
import type {
  ThreadConfig,
  ThreadEvent,
  ThreadMessage,
  ThreadMetrics,
  ThreadQuestion,
} from './protocol.ts';
import { RESOURCES, type ResourceKind } from './resources.ts';
import { ServedResources } from './served-resources.ts';
import { CHANGE_SPREADS_MS } from './snapshot.ts';

export interface DataPlaneOptions {
  readonly threads: number;
  readonly config: ThreadConfig;
  readonly onThreadLost: (error: Error) => void;
}

/** The data-plane threads, seen from the main thread. */
export class DataPlane {
  readonly #threads: ThreadPool<ThreadMessage, ThreadQuestion, ThreadEvent>;
  readonly resources: ServedResources = new ServedResources();
  /** Resources that were removed a moment ago, by kind and name. */
  readonly #leaving = new Map<string, NodeJS.Timeout>();

  constructor({ threads, config, onThreadLost }: DataPlaneOptions) {
    this.#threads = new ThreadPool({
      script: new URL('./thread.ts', import.meta.url),
      threads,
      workerData: config,
      onEvent: () => undefined,
      onLost: onThreadLost,
    });
  }

  /** Checks a batch on this thread, passes on what can be served, and names what cannot. */
  apply(type: ResourceKind, batch: ResourceBatch): readonly RejectedResource[] {
    const rejected: { name: string; reason: string }[] = [];
    const upserts = batch.resources.filter(({ name, body }) => {
      try {
        RESOURCES[type].check(body);
        this.resources.served(type, name, body);
        return true;
      } catch (error) {
        const reason = (error as Error).message;
        this.resources.refused(type, name, reason);
        rejected.push({ name, reason });
        return false;
      }
    });
    for (const { name } of upserts) this.#stay(`${type}/${name}`);
    this.#threads.tell({ kind: 'resources', type, upserts, removed: [] });
    for (const name of batch.removed) this.#leave(type, name);
    return rejected;
  }

  #leave(type: ResourceKind, name: string): void {
    this.resources.removed(type, name);
    const key = `${type}/${name}`;
    this.#stay(key);
    const remove = (): void => {
      this.#leaving.delete(key);
      this.#threads.tell({ kind: 'resources', type, upserts: [], removed: [name] });
    };
    this.#leaving.set(key, setTimeout(remove, CHANGE_SPREADS_MS).unref());
  }

  /** What has come back is not removed after all. */
  #stay(key: string): void {
    clearTimeout(this.#leaving.get(key));
    this.#leaving.delete(key);
  }

  setCertificate(certificate: WorkloadCertificate): void {
    this.#threads.tell({ kind: 'certificate', certificate });
  }

  /** Resolves when every thread accepts tunnels. */
  async listen(): Promise<void> {
    await this.#threads.ask({ kind: 'listen' });
  }

  async metrics(): Promise<ThreadMetrics> {
    return ((await this.#threads.ask({ kind: 'metrics' })) as ThreadMetrics[]).flat();
  }

  /** Counters of connections whose bytes were passed through. */
  async passed(): Promise<readonly ConnectionSeries[]> {
    return ((await this.#threads.ask({ kind: 'passed' })) as ConnectionSeries[][]).flat();
  }

  async clusters(): Promise<readonly ClusterStatus[]> {
    return addUp((await this.#threads.ask({ kind: 'clusters' })) as ClusterStatus[][]);
  }

  setLogLevels(levels: string): void {
    this.#threads.tell({ kind: 'log-levels', levels });
  }

  /** Connections on which somebody waits for something. */
  async busyConnections(): Promise<number> {
    const counts = (await this.#threads.ask({ kind: 'busy-connections' })) as number[];
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** From now on clients hear with each answer that their connection ends. */
  async announceEnd(): Promise<void> {
    await this.#threads.ask({ kind: 'announce-end' });
  }

  async drain(): Promise<void> {
    await this.#threads.ask({ kind: 'drain' });
  }

  /** Ends the connections that are not busy, and those that have been upgraded, in order. */
  async closeIdle(): Promise<void> {
    await this.#threads.ask({ kind: 'close-idle' });
  }

  async stop(): Promise<void> {
    await this.#threads.stop();
  }
}
