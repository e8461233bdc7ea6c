import type { Subscription } from '@aquifer/control-plane-client';
import type { PodLifecycle, ServedPod } from '../node/pod-lifecycle.ts';
import { ZdsClient, type ZdsClientOptions } from './zds-client.ts';

/** Istio's node agent says which pods to serve, and writes their rules. */
export class ZdsLifecycle implements PodLifecycle {
  readonly subscriptions: readonly Subscription[] = [];
  readonly #client: ZdsClient;

  constructor(options: ZdsClientOptions) {
    this.#client = new ZdsClient(options);
  }

  start(): void {
    void this.#client.run();
  }

  stop(): void {
    this.#client.stop();
  }

  pods(): ReadonlyMap<string, ServedPod> {
    const pods = [...this.#client.pods.states()];
    return new Map(
      pods.map(({ uid, info, state }) => [uid, { info, isServed: state === 'up' }] as const),
    );
  }
}
