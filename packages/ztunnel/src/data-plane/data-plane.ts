import { Worker } from 'node:worker_threads';
import type { ResourceBatch } from '@aquifer/control-plane-client';
import type { CertificateUpdate } from './certificates.ts';
import type {
  CapturedPod,
  FromThread,
  ThreadConfig,
  ThreadDump,
  ThreadMetrics,
  ToThread,
} from './protocol.ts';

export interface DataPlaneOptions {
  readonly threads: number;
  readonly config: ThreadConfig;
  /** A thread needs a certificate for an identity. */
  readonly onCertificateNeeded: (identity: string) => void;
  /** A thread ended although nobody asked it to. */
  readonly onThreadLost: (error: Error) => void;
}

type Question = ToThread extends infer Message
  ? Message extends { readonly id: number }
    ? Omit<Message, 'id'>
    : never
  : never;

/** The data-plane threads, seen from the main thread. What is sent reaches every thread, in order. */
export class DataPlane {
  readonly #threads: readonly Thread[];

  constructor(options: DataPlaneOptions) {
    this.#threads = Array.from({ length: options.threads }, () => new Thread(options));
  }

  applyAddresses(batch: ResourceBatch): void {
    this.#tell({ kind: 'addresses', batch });
  }

  applyPolicies(batch: ResourceBatch): void {
    this.#tell({ kind: 'policies', batch });
  }

  updateCertificate(identity: string, update: CertificateUpdate): void {
    this.#tell({ kind: 'certificate', identity, update });
  }

  /** Binds the pod's listeners on every thread; if one fails, none keeps them. */
  async startPod(pod: CapturedPod, namespaceFd: number): Promise<void> {
    try {
      await this.#ask({ kind: 'start-pod', pod, namespaceFd });
    } catch (error) {
      await this.stopPod(pod.uid, { graceful: false });
      throw error;
    }
  }

  /** Graceful: stops accepting, connections go on. Otherwise everything of the pod ends. */
  async stopPod(uid: string, { graceful }: { readonly graceful: boolean }): Promise<void> {
    await this.#ask({ kind: 'stop-pod', uid, graceful });
  }

  async dump(): Promise<ThreadDump> {
    const dumps = (await this.#ask({ kind: 'dump' })) as ThreadDump[];
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
    return (await this.#ask({ kind: 'metrics' })) as ThreadMetrics[];
  }

  async drain(): Promise<void> {
    await this.#ask({ kind: 'drain' });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }

  #tell(message: ToThread): void {
    for (const thread of this.#threads) thread.send(message);
  }

  #ask(question: Question): Promise<unknown[]> {
    return Promise.all(this.#threads.map((thread) => thread.ask(question)));
  }
}

class Thread {
  readonly #worker: Worker;
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;
  #stopping = false;

  constructor(options: DataPlaneOptions) {
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: options.config,
    });
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'answer') this.#settle(message);
      else options.onCertificateNeeded(message.identity);
    });
    this.#worker.on('error', (error) => {
      options.onThreadLost(error as Error);
    });
    this.#worker.on('exit', (code) => {
      if (!this.#stopping) options.onThreadLost(new Error(`data-plane thread ended with ${code}`));
    });
  }

  send(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  ask(question: Question): Promise<unknown> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#open.set(id, answer);
    this.send({ ...question, id } as ToThread);
    return answer.promise;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#worker.terminate();
  }

  #settle({ id, result }: Extract<FromThread, { kind: 'answer' }>): void {
    const answer = this.#open.get(id);
    this.#open.delete(id);
    if (result.ok) answer?.resolve(result.value);
    else answer?.reject(new Error(result.error));
  }
}
