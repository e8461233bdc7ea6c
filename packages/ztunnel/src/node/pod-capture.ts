import { setTimeout as delay } from 'node:timers/promises';
import type { CaptureReport } from '@aquifer/control-plane-client';
import type { Logger } from '@aquifer/runtime';
import { forgetConnections } from '../capture/conntrack.ts';
import type { NetworkNamespace } from '../capture/netns.ts';
import {
  installRedirection,
  releaseRedirection,
  removeRedirection,
} from '../capture/redirection.ts';
import type { DataPlane } from '../data-plane/data-plane.ts';
import type { CapturedPod } from '../data-plane/protocol.ts';
import { openPodNamespace } from './pod-namespace.ts';

/** A pod to capture, as the control plane describes it. */
export interface EnrolledPod extends CapturedPod {
  readonly addresses: readonly string[];
  readonly bypassInbound: boolean;
}

export interface PodCaptureDeps {
  readonly dataPlane: Pick<DataPlane, 'startPod' | 'stopPod'>;
  readonly procPath: string;
  readonly log: Logger;
  readonly report: (report: CaptureReport) => void;
  /** How long connections through the proxy may go on after the pod left the mesh, in milliseconds. */
  readonly drainDeadlineMs: number;
}

const RETRY_MS = 500;
const RETRY_MAX_MS = 5_000;
/**
 * How long the pod's own calls stay captured after plaintext to it is let through. A namespace leaves the mesh on all
 * its nodes at about the same time: a caller that was let go first would send plaintext to a pod that still demands mTLS.
 */
const OUTBOUND_STAYS_MS = 1_000;

/**
 * One pod's capture.
 * ```
 * capturing ──listeners, rules──► captured ──release()──► releasing ──drained──► released
 *     └── namespace not found, rules refused: report pending, try again
 * ```
 * Always: listeners exist before rules send traffic to them, and rules stop before listeners do.
 */
export class PodCapture {
  readonly pod: EnrolledPod;
  readonly #deps: PodCaptureDeps;
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;
  #namespace: NetworkNamespace | null = null;
  #state: 'pending' | 'captured' | 'released' = 'pending';

  constructor(pod: EnrolledPod, deps: PodCaptureDeps) {
    this.pod = pod;
    this.#deps = deps;
    this.#done = this.#capturing();
  }

  get state(): 'pending' | 'captured' | 'released' {
    return this.#state;
  }

  /** Does not try again if the pod is not captured yet. */
  giveUp(): void {
    this.#abort.abort();
  }

  /** Lets the pod go: inbound at once, outbound a moment later; open connections may finish, then no trace is left. */
  async release(): Promise<void> {
    this.giveUp();
    await this.#done;
    const namespace = this.#namespace;
    if (namespace === null) return;
    const path = descriptorPath(namespace);
    try {
      await releaseRedirection(path, 'inbound');
      await delay(OUTBOUND_STAYS_MS);
      await releaseRedirection(path, 'outbound');
      this.#report('released', '');
      // Peers that have not heard yet still tunnel to this pod, so its HBONE listener stays for the same time.
      await delay(this.#deps.drainDeadlineMs);
      await removeRedirection(path);
    } catch (error) {
      // The pod itself may be gone, and its namespace with it.
      this.#deps.log.debug('redirection could not be removed', this.#fields(error));
    }
    await this.#deps.dataPlane.stopPod(this.pod.uid);
    try {
      forgetConnections(namespace);
    } catch (error) {
      this.#deps.log.warn('connections are still tracked', this.#fields(error));
    }
    namespace.close();
    this.#namespace = null;
    this.#state = 'released';
  }

  async #capturing(): Promise<void> {
    const { signal } = this.#abort;
    for (let waitMs = RETRY_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
      try {
        await this.#captureOnce();
        this.#state = 'captured';
        this.#report('captured', '');
        this.#deps.log.info('pod captured', { wl: `${this.pod.namespace}/${this.pod.name}` });
        return;
      } catch (error) {
        this.#report('pending', (error as Error).message);
        this.#deps.log.warn('pod is not captured yet', this.#fields(error));
      }
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #captureOnce(): Promise<void> {
    const { dataPlane, procPath } = this.#deps;
    this.#namespace ??= await openPodNamespace(this.pod, { procPath });
    await dataPlane.startPod(this.pod, this.#namespace.fd);
    await installRedirection(descriptorPath(this.#namespace), this.pod);
  }

  #report(state: CaptureReport['state'], reason: string): void {
    const { uid, namespace, name } = this.pod;
    this.#deps.report({ uid, namespace, name, state, reason });
  }

  #fields(error: unknown) {
    return { wl: `${this.pod.namespace}/${this.pod.name}`, error: (error as Error).message };
  }
}

function descriptorPath(namespace: NetworkNamespace): string {
  return `/proc/${process.pid}/fd/${namespace.fd}`;
}
