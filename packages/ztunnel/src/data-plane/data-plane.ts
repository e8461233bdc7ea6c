import { setTimeout as delay } from 'node:timers/promises';
import type { ResourceBatch } from '@aquifer/control-plane-client/store';
import { ThreadPool } from '@aquifer/runtime';
import type { CertificateUpdate } from './certificates.ts';
import type {
  CapturedPod,
  ThreadConfig,
  ThreadDump,
  ThreadEvent,
  ThreadMessage,
  ThreadMetrics,
  ThreadQuestion,
} from './protocol.ts';

/** Connections end within milliseconds; log lines are written after 20 more. */
const LAST_LINES_MS = 50;

export interface DataPlaneOptions {
  readonly threads: number;
  readonly config: ThreadConfig;
  /** A thread needs a certificate for an identity. */
  readonly onCertificateNeeded: (identity: string) => void;
  /** A thread ended although nobody asked it to. */
  readonly onThreadLost: (error: Error) => void;
}

/** The data-plane threads, seen from the main thread. What is sent reaches every thread, in order. */
export class DataPlane {
  readonly #threads: ThreadPool<ThreadMessage, ThreadQuestion, ThreadEvent>;

  constructor(options: DataPlaneOptions) {
    this.#threads = new ThreadPool({
      script: new URL('./thread.ts', import.meta.url),
      threads: options.threads,
      workerData: options.config,
      onEvent: ({ certificateNeeded }) => options.onCertificateNeeded(certificateNeeded),
      onLost: options.onThreadLost,
    });
  }

  applyAddresses(batch: ResourceBatch): void {
    this.#threads.tell({ kind: 'addresses', batch });
  }

  applyPolicies(batch: ResourceBatch): void {
    this.#threads.tell({ kind: 'policies', batch });
  }

  /** As `RUST_LOG`. */
  setLogLevels(levels: string): void {
    this.#threads.tell({ kind: 'log-levels', levels });
  }

  updateCertificate(identity: string, update: CertificateUpdate): void {
    this.#threads.tell({ kind: 'certificate', identity, update });
  }

  /** Binds the pod's listeners on every thread; if one fails, none keeps them. */
  async startPod(pod: CapturedPod, namespaceFd: number): Promise<void> {
    try {
      await this.#threads.ask({ kind: 'start-pod', pod, namespaceFd });
    } catch (error) {
      await this.stopPod(pod.uid);
      throw error;
    }
  }

  /** Ends everything of the pod. */
  async stopPod(uid: string): Promise<void> {
    await this.#threads.ask({ kind: 'stop-pod', uid });
  }

  async dump(): Promise<ThreadDump> {
    const dumps = (await this.#threads.ask({ kind: 'dump' })) as ThreadDump[];
    const connections: Record<string, ThreadDump['connections'][string]> = {};
    for (const dump of dumps) {
      for (const [uid, open] of Object.entries(dump.connections)) {
        connections[uid] ??= { inbound: [], outbound: [] };
        const merged = connections[uid];
        merged.inbound.push(...open.inbound);
        merged.outbound.push(...open.outbound);
      }
    }
    return { ...dumps[0]!, connections };
  }

  async metrics(): Promise<ThreadMetrics[]> {
    return (await this.#threads.ask({ kind: 'metrics' })) as ThreadMetrics[];
  }

  async drain(): Promise<void> {
    await this.#threads.ask({ kind: 'drain' });
  }

  /** Ends every connection, each with its line in the access log, and then the threads. */
  async stop(): Promise<void> {
    await this.#threads.ask({ kind: 'abort' });
    await delay(LAST_LINES_MS);
    await this.#threads.stop();
  }
}
