/**
 * Which of several control planes writes: the one that holds a Lease (coordination.k8s.io/v1), as client-go elects
 * leaders.
 *
 * Always: `isHeld` turns false by itself, before anybody else may take the lease, when it could not be renewed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { microTimestampOf } from '@aquifer/model/kubernetes';
import type { Logger } from '@aquifer/runtime';
import { type KubernetesApi, KubernetesApiError } from '../ingest/kubernetes-api.ts';

export interface LeaseDeps {
  readonly api: Pick<KubernetesApi, 'within'>;
  readonly log: Logger;
  readonly namespace: string;
  readonly name: string;
  /** Unique among all who want the lease; the same one after a restart takes its lease back at once. */
  readonly holder: string;
  /** Called each time that the lease was gained. */
  readonly onGained: () => void;
  readonly times: LeaseTimes;
}

export interface LeaseTimes {
  /** Without a renewal for so long, as others see it, the lease may be taken. */
  readonly durationMs: number;
  /** Without a renewal for so long the holder stops writing. Shorter than `durationMs`. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

/** In the proportions of client-go: 15, 10 and 2. */
export function leaseTimes(durationMs: number): LeaseTimes {
  return {
    durationMs,
    renewDeadlineMs: (durationMs * 2) / 3,
    retryMs: (durationMs * 2) / 15,
  };
}

interface Lease {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseTransitions?: number | null;
  };
}

export class WriterLease {
  readonly #deps: LeaseDeps;
  readonly #times: LeaseTimes;
  readonly #api: KubernetesApi;
  readonly #abort = new AbortController();
  readonly #path: string;
  #heldUntilMs = 0;
  /** The lease as last seen held by somebody else, and since when: clocks of others are not trusted. */
  #seen: { readonly version: string; readonly sinceMs: number } | null = null;
  #loop: Promise<void> | null = null;

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
    this.#times = deps.times;
    // An answer that does not come must leave time for another try.
    this.#api = deps.api.within(() => deps.times.renewDeadlineMs / 2);
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${deps.namespace}/leases`;
  }

  get isHeld(): boolean {
    return this.leftMs > 0;
  }

  /** For how long the lease is held if it is not renewed; 0 or less: it is not. */
  get leftMs(): number {
    return this.#heldUntilMs - performance.now();
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Gives the lease up, so that the next one need not wait for its end. Resolves also if the API is away. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
    if (!this.isHeld) return;
    this.#heldUntilMs = 0;
    try {
      const lease = await this.#read();
      if (lease?.spec?.holderIdentity !== this.#deps.holder) return;
      await this.#write(lease, { holderIdentity: '', leaseDurationSeconds: 1 });
    } catch (error) {
      this.#deps.log.warn('lease not given up', { error: (error as Error).message });
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const wasHeld = this.isHeld;
      try {
        await this.#takeOrRenew();
      } catch (error) {
        const isLost = error instanceof KubernetesApiError && error.status === 409;
        if (!isLost) this.#deps.log.warn('lease', { error: (error as Error).message });
      }
      if (signal.aborted) return;
      if (!wasHeld && this.isHeld) {
        this.#deps.log.info('this control plane writes now', { lease: this.#deps.name });
        this.#deps.onGained();
      }
      await delay(this.#times.retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #takeOrRenew(): Promise<void> {
    const beganMs = performance.now();
    const lease = await this.#read();
    const { holder } = this.#deps;
    const current = lease?.spec?.holderIdentity || null;
    if (current !== holder) this.#heldUntilMs = 0;
    if (lease !== null && current !== null && current !== holder && !this.#hasEnded(lease)) return;
    await this.#write(lease, {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(this.#times.durationMs / 1000),
      renewTime: microTimestampOf(new Date()),
      ...(current !== holder && {
        acquireTime: microTimestampOf(new Date()),
        leaseTransitions: transitionsAfter(lease),
      }),
    });
    this.#heldUntilMs = beganMs + this.#times.renewDeadlineMs;
  }

  #hasEnded({ metadata }: Lease): boolean {
    const version = metadata.resourceVersion ?? '';
    const nowMs = performance.now();
    if (this.#seen?.version !== version) this.#seen = { version, sinceMs: nowMs };
    return nowMs - this.#seen.sinceMs >= this.#times.durationMs;
  }

  #read(): Promise<Lease | null> {
    return this.#api.get<Lease>(`${this.#path}/${this.#deps.name}`);
  }

  /** Fails with a conflict if somebody else was faster. */
  async #write(lease: Lease | null, spec: object): Promise<void> {
    const { namespace, name } = this.#deps;
    if (lease === null) {
      const [apiVersion, kind] = ['coordination.k8s.io/v1', 'Lease'];
      await this.#api.create(this.#path, { apiVersion, kind, metadata: { namespace, name }, spec });
      return;
    }
    const metadata = { resourceVersion: lease.metadata.resourceVersion };
    await this.#api.mergePatch(`${this.#path}/${name}`, { metadata, spec });
  }
}

function transitionsAfter(lease: Lease | null): number {
  return lease === null ? 0 : (lease.spec?.leaseTransitions ?? 0) + 1;
}
