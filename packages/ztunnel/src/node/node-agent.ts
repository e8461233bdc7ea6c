import type {
  CaptureReport,
  ControlPlaneEndpoint,
  RejectedResource,
  ResourceBatch,
  Subscription,
} from '@aquifer/control-plane-client';
import { ENROLLED_POD_TYPE } from '@aquifer/wire';
import { NriPlugin } from '../nri/nri-plugin.ts';
import { StartGate } from '../nri/start-gate.ts';
import { CaptureLoop, type CaptureLoopOptions } from './capture-loop.ts';
import { CaptureReports } from './capture-reports.ts';
import { decodeEnrolledPod, type EnrolledPod } from './enrolled-pod.ts';
import type { PodLifecycle, ServedPod } from './pod-lifecycle.ts';

export interface NodeAgentOptions extends Omit<CaptureLoopOptions, 'report' | 'reportInventory'> {
  readonly endpoint: ControlPlaneEndpoint;
  /** Whether pods that do not say have their queries answered by the proxy. */
  readonly captureDns: boolean;
  /** How the container runtime holds pods back until they are captured; null where it does not. */
  readonly startGate: { readonly socket: string; readonly onFailure: 'open' | 'closed' } | null;
  /** Called once, when every pod of the first snapshot has been tried. One that cannot be captured holds up nobody. */
  readonly onFirstSnapshotTried: () => void;
}

/** Takes the list of pods to capture from the control plane, and tells it what became of each. */
export class NodeAgent implements PodLifecycle {
  readonly subscriptions: readonly Subscription[] = [
    { typeUrl: ENROLLED_POD_TYPE, names: '*', apply: (batch) => this.#apply(batch) },
  ];
  readonly #loop: CaptureLoop;
  readonly #onFirstSnapshotTried: () => void;
  readonly #captureDns: boolean;
  readonly #nri: NriPlugin | null;
  #wanted: ReadonlyMap<string, EnrolledPod> = new Map();
  /** Of the first snapshot; null before it is complete. */
  #untried: Set<string> | null = null;
  #isAnnounced = false;

  constructor(options: NodeAgentOptions) {
    const reports = new CaptureReports(options);
    this.#onFirstSnapshotTried = options.onFirstSnapshotTried;
    this.#captureDns = options.captureDns;
    this.#loop = new CaptureLoop({
      ...options,
      report: (report) => {
        reports.add(report);
        this.#tried(report);
      },
      reportInventory: (uids) => reports.addInventory(uids),
    });
    const { startGate, log } = options;
    this.#nri =
      startGate === null
        ? null
        : new NriPlugin({
            path: startGate.socket,
            listener: new StartGate(this.#loop, startGate.onFailure, log),
            log,
          });
  }

  /** Takes EnrolledPod resources; capturing begins with `start`. */
  #apply(batch: ResourceBatch): readonly RejectedResource[] {
    const wanted = new Map(this.#wanted);
    const rejected: RejectedResource[] = [];
    for (const uid of batch.removed) wanted.delete(uid);
    for (const { name, body } of batch.resources) {
      try {
        const pod = decodeEnrolledPod(body, this.#captureDns);
        wanted.set(pod.uid, pod);
      } catch (error) {
        rejected.push({ name, reason: (error as Error).message });
      }
    }
    this.#wanted = wanted;
    if (this.#untried !== null) this.#loop.want(wanted);
    this.#announce();
    return rejected;
  }

  /**
   * Begins to capture, and to release what is not wanted: the list is complete, and the rest of the mesh is known, so
   * that captured traffic can be decided.
   */
  start(): void {
    // A pod that has not started yet holds up nobody.
    const placed = [...this.#wanted.values()].filter(({ addresses }) => addresses.length > 0);
    this.#untried = new Set(placed.map(({ uid }) => uid));
    void this.#nri?.run();
    this.#loop.want(this.#wanted);
    this.#announce();
  }

  /** Captures, repairs and releases nothing more: the pods are left as they are to the proxy that takes over. */
  stop(): void {
    this.#nri?.stop();
    this.#loop.stop();
  }

  pods(): ReadonlyMap<string, ServedPod> {
    const captures = [...this.#loop.captures()];
    return new Map(
      captures.map(([uid, { pod, isCaptured }]) => [uid, { info: pod, isServed: isCaptured }]),
    );
  }

  #tried({ uid }: CaptureReport): void {
    this.#untried?.delete(uid);
    this.#announce();
  }

  #announce(): void {
    if (this.#isAnnounced || this.#untried === null) return;
    const isOpen = [...this.#untried].some((uid) => this.#wanted.has(uid));
    if (isOpen) return;
    this.#isAnnounced = true;
    this.#onFirstSnapshotTried();
  }
}
