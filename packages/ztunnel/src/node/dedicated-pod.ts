import type { Subscription } from '@aquifer/control-plane-client';
import type { Logger } from '@aquifer/runtime';
import { NetworkNamespace } from '../capture/netns.ts';
import type { DedicatedWorkload } from '../config/forms.ts';
import type { DataPlane } from '../data-plane/data-plane.ts';
import type { PodLifecycle, ServedPod } from './pod-lifecycle.ts';

const UID = 'dedicated';
const RETRY_MS = 1000;

export interface DedicatedPodOptions {
  readonly workload: DedicatedWorkload;
  readonly dataPlane: Pick<DataPlane, 'startPod'>;
  readonly log: Logger;
  readonly captureDns: boolean;
  readonly onSettled: (isSettled: boolean) => void;
}

/** The one workload of a dedicated proxy, in the network namespace that the proxy itself is in (spec ztunnel 1.4). */
export class DedicatedPod implements PodLifecycle {
  readonly subscriptions: readonly Subscription[] = [];
  readonly #options: DedicatedPodOptions;
  #isServed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: DedicatedPodOptions) {
    this.#options = options;
  }

  start(): void {
    const { dataPlane, workload, captureDns, log, onSettled } = this.#options;
    const namespace = NetworkNamespace.open('/proc/self/ns/net');
    dataPlane.startPod({ uid: UID, ...workload, captureDns }, namespace.fd).then(
      () => {
        this.#isServed = true;
        onSettled(true);
      },
      (error: unknown) => {
        namespace.close();
        log.error('the workload is not served yet', { error: (error as Error).message });
        this.#retry = setTimeout(() => this.start(), RETRY_MS);
      },
    );
  }

  stop(): void {
    clearTimeout(this.#retry);
  }

  pods(): ReadonlyMap<string, ServedPod> {
    const { namespace, name, serviceAccount } = this.#options.workload;
    const info = { namespace, name, serviceAccount };
    return new Map([[UID, { info, isServed: this.#isServed }]]);
  }
}
