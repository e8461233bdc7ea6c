import { setTimeout as delay } from 'node:timers/promises';
import type { NetworkNamespace } from '../capture/netns.ts';
import {
  installRedirection,
  releaseRedirection,
  removeRedirection,
} from '../capture/redirection.ts';
import type { DataPlane } from '../data-plane/data-plane.ts';
import type { EnrolledPod } from './enrolled-pod.ts';
import type { StepLimit } from './step-limit.ts';

export interface PodCaptureDeps {
  readonly dataPlane: Pick<DataPlane, 'startPod' | 'stopPod'>;
  /** This node's name. */
  readonly node: string;
  /** How long connections through the proxy may go on after the pod left the mesh, in milliseconds. */
  readonly drainDeadlineMs: number;
  readonly steps: StepLimit;
}

/**
 * How long the pod's own calls stay captured after plaintext to it is let through. A namespace leaves the mesh on all
 * its nodes at about the same time: a caller that was let go first would send plaintext to a pod that still demands mTLS.
 */
const OUTBOUND_STAYS_MS = 1_000;

/** Makes or repairs a capture: listeners exist before rules send traffic to them. Idempotent. */
export function capturePod(
  pod: EnrolledPod,
  namespace: NetworkNamespace,
  { dataPlane, node, steps, signal }: PodCaptureDeps & { readonly signal: AbortSignal },
): Promise<void> {
  return steps.run(async () => {
    signal.throwIfAborted();
    await dataPlane.startPod(pod, namespace.fd);
    const { bypassInbound, captureDns } = pod;
    await installRedirection(namespace, { node, bypassInbound, captureDns });
  });
}

/**
 * Lets a pod go: inbound at once, outbound a moment later; open connections may finish, then no trace is left. Idempotent:
 * whichever step fails or is cut short by the signal, the pod is either still captured or connects directly.
 *
 * Always: listeners exist while rules send traffic to them, and sockets end before the tables go. Without the tables
 * the kernel no longer translates: the other end would never hear of the end of its connection.
 */
export async function releasePod(
  pod: EnrolledPod,
  namespace: NetworkNamespace,
  options: PodCaptureDeps & { readonly signal: AbortSignal; readonly onReleased: () => void },
): Promise<void> {
  const { dataPlane, node, drainDeadlineMs, steps, signal } = options;
  signal.throwIfAborted();
  await steps.run(() => releaseRedirection(namespace, 'inbound'));
  await delay(OUTBOUND_STAYS_MS, undefined, { signal });
  await steps.run(() => releaseRedirection(namespace, 'outbound'));
  options.onReleased();
  // Peers that have not heard yet still tunnel to this pod, so its HBONE listener stays for the same time.
  await delay(drainDeadlineMs, undefined, { signal });
  await dataPlane.stopPod(pod.uid);
  await steps.run(() => removeRedirection(namespace, node));
}

/**
 * Lets a pod go that an earlier process captured. That process may still be there, letting connections finish: the
 * tables stay for that time.
 */
export async function releaseOrphan(
  namespace: NetworkNamespace,
  { node, drainDeadlineMs, steps, signal }: PodCaptureDeps & { readonly signal: AbortSignal },
): Promise<void> {
  await steps.run(() => releaseRedirection(namespace, 'inbound', 'outbound'));
  await delay(drainDeadlineMs, undefined, { signal });
  await steps.run(() => removeRedirection(namespace, node));
}
