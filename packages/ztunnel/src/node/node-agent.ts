import { setTimeout as delay } from 'node:timers/promises';
import {
  type CaptureReport,
  type ControlPlaneEndpoint,
  type RejectedResource,
  type ResourceBatch,
  reportCapture,
} from '@aquifer/control-plane-client';
import { formatIpAddress } from '@aquifer/model';
import { EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { type EnrolledPod, PodCapture, type PodCaptureDeps } from './pod-capture.ts';

export interface NodeAgentOptions extends Omit<PodCaptureDeps, 'report'> {
  readonly node: string;
  readonly endpoint: ControlPlaneEndpoint;
  /** Called once, when every pod of the first snapshot is captured. */
  readonly onFirstSnapshotCaptured: () => void;
}

const REPORT_RETRY_MS = 1_000;

/** Keeps the pods of this node captured as the control plane wants them, and reports what became of each. */
export class NodeAgent {
  readonly #options: NodeAgentOptions;
  readonly #captures = new Map<string, PodCapture>();
  readonly #wanted = new Map<string, EnrolledPod>();
  readonly #releasing = new Map<string, Promise<void>>();
  /** The last word on each pod that the control plane has not taken yet. */
  readonly #unreported = new Map<string, CaptureReport>();
  #reporting = false;
  #phase: 'waiting' | 'capturing' | 'stopped' = 'waiting';
  #announced = false;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
  }

  /** Takes EnrolledPod resources; capturing begins with `start`. */
  apply(batch: ResourceBatch): readonly RejectedResource[] {
    const rejected: RejectedResource[] = [];
    for (const uid of batch.removed) this.#wanted.delete(uid);
    for (const { name, body } of batch.resources) {
      try {
        const pod = decodeEnrolledPod(body);
        this.#wanted.set(pod.uid, pod);
      } catch (error) {
        rejected.push({ name, reason: (error as Error).message });
      }
    }
    this.#reconcile();
    return rejected;
  }

  /** Begins to capture: the rest of the mesh is known by now, so that captured traffic can be decided. */
  start(): void {
    if (this.#phase === 'waiting') this.#phase = 'capturing';
    this.#reconcile();
  }

  /** Captures and releases nothing more: the pods are left as they are to the proxy that takes over. */
  stop(): void {
    this.#phase = 'stopped';
    for (const capture of this.#captures.values()) capture.giveUp();
  }

  /** State of each pod, for the config dump. */
  captures(): ReadonlyMap<string, PodCapture> {
    return this.#captures;
  }

  #reconcile(): void {
    if (this.#phase !== 'capturing') return;
    for (const [uid, capture] of this.#captures) {
      if (!this.#wanted.has(uid)) this.#release(uid, capture);
    }
    for (const [uid, pod] of this.#wanted) {
      if (!this.#captures.has(uid) && !this.#releasing.has(uid)) this.#capture(pod);
    }
    this.#announce();
  }

  #capture(pod: EnrolledPod): void {
    const report = (entry: CaptureReport): void => {
      this.#unreported.set(entry.uid, entry);
      this.#announce();
      void this.#flushReports();
    };
    this.#captures.set(pod.uid, new PodCapture(pod, { ...this.#options, report }));
  }

  #release(uid: string, capture: PodCapture): void {
    this.#captures.delete(uid);
    const released = capture.release().then(() => {
      this.#releasing.delete(uid);
      // It may have been enrolled again while it was being released.
      this.#reconcile();
    });
    this.#releasing.set(uid, released);
  }

  #announce(): void {
    if (this.#announced) return;
    const pending = [...this.#captures.values()].some(({ state }) => state === 'pending');
    if (pending) return;
    this.#announced = true;
    this.#options.onFirstSnapshotCaptured();
  }

  /** Sends what is unreported until the control plane has taken it; a newer word replaces an older one. */
  async #flushReports(): Promise<void> {
    if (this.#reporting) return;
    this.#reporting = true;
    while (this.#unreported.size > 0) {
      const batch = [...this.#unreported.values()];
      try {
        await reportCapture(this.#options.endpoint, this.#options.node, batch);
        for (const report of batch) {
          if (this.#unreported.get(report.uid) === report) this.#unreported.delete(report.uid);
        }
      } catch (error) {
        this.#options.log.warn('capture report was not taken', { error: (error as Error).message });
        await delay(REPORT_RETRY_MS, undefined, { ref: false });
      }
    }
    this.#reporting = false;
  }
}

function decodeEnrolledPod(body: Uint8Array): EnrolledPod {
  const pod = fromBinary(EnrolledPodSchema, body);
  const addresses = pod.addresses.map(formatIpAddress).filter((ip) => ip !== null);
  if (pod.uid === '') throw new Error('enrolled pod has no uid');
  if (addresses.length === 0) throw new Error('enrolled pod has no address');
  const { uid, namespace, name, serviceAccount, bypassInboundCapture: bypassInbound } = pod;
  return { uid, namespace, name, serviceAccount, addresses, bypassInbound };
}
