import type { WorkloadStore } from '@aquifer/control-plane-client/store';
import type { Workload } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import type { ConnectionTracker } from '../authz/connection-tracker.ts';
import type { NetworkNamespace } from '../capture/netns.ts';
import type { CapturedPod } from '../data-plane/protocol.ts';
import type { RecordDeps } from '../telemetry/connection-record.ts';

/** What the listeners of one captured pod share. */
export interface PodContext {
  readonly pod: Pick<CapturedPod, 'namespace' | 'name' | 'serviceAccount'>;
  readonly namespace: NetworkNamespace;
  readonly store: WorkloadStore;
  readonly tracker: ConnectionTracker;
  readonly record: RecordDeps;
  readonly log: Logger;
  /** Network this node is in. */
  readonly network: string;
  /** Whether applications see the caller's own address. */
  readonly preserveSource: boolean;
  /** Whether connections are being ended because their time to finish is over. */
  readonly isAborted: () => boolean;
  /** The pod's workload, waiting up to 5 s for the control plane to send it; null if it did not. */
  readonly workload: () => Promise<Workload | null>;
}

/** Why a connection is refused whose own pod the control plane has not described. */
export function unknownWorkload({ pod }: PodContext): string {
  const { serviceAccount, namespace, name } = pod;
  return `failed to fetch information about local workload: ${serviceAccount}.${namespace} (${name})`;
}

/** A listener of a pod. `drain` stops accepting and leaves connections alone; `abort` ends them too. */
export interface PodListener {
  drain(): void;
  abort(): void;
}
