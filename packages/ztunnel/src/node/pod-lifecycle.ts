import type { Subscription } from '@aquifer/control-plane-client';

/** A pod that this proxy serves, or is to serve. */
export interface ServedPod {
  readonly info: {
    readonly name: string;
    readonly namespace: string;
    readonly serviceAccount: string;
  };
  readonly isServed: boolean;
}

/**
 * Where a proxy learns which pods to serve, and what it does about them: the control plane says it (`NodeAgent`), or
 * Istio's node agent (`ZdsLifecycle`), or there is one for good (`DedicatedPod`).
 */
export interface PodLifecycle {
  /** What it has to hear from the control plane. */
  readonly subscriptions: readonly Subscription[];
  /** To be called once the mesh is known, so that traffic can be decided. */
  start(): void;
  /** Changes nothing more: the pods are left as they are to the proxy that takes over. */
  stop(): void;
  /** By uid, for the config dump. */
  pods(): ReadonlyMap<string, ServedPod>;
}
