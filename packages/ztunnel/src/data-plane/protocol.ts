import type { ResourceBatch } from '@aquifer/control-plane-client';
import type { OpenConnection } from '../authz/connection-tracker.ts';
import type { TrafficSnapshot } from '../telemetry/traffic-totals.ts';
import type { CertificateUpdate } from './certificates.ts';

/** A captured pod as the data plane needs it. */
export interface CapturedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
}

/** What a data-plane thread is started with. */
export interface ThreadConfig {
  readonly network: string;
  readonly trustDomain: string;
  readonly logFormat: 'plain' | 'json';
  readonly logLevels: string;
  readonly drainDeadlineMs: number;
  readonly poolMaxStreams: number;
  readonly poolIdleMs: number;
  readonly preserveSource: boolean;
}

/** From the main thread to a data-plane thread. `id` is echoed in the answer. */
export type ToThread =
  | { readonly kind: 'addresses' | 'policies'; readonly batch: ResourceBatch }
  | { readonly kind: 'certificate'; readonly identity: string; readonly update: CertificateUpdate }
  | {
      readonly kind: 'start-pod';
      readonly id: number;
      readonly pod: CapturedPod;
      /** Open in this process, whichever thread opened it. */
      readonly namespaceFd: number;
    }
  | {
      readonly kind: 'stop-pod';
      readonly id: number;
      readonly uid: string;
      readonly graceful: boolean;
    }
  | { readonly kind: 'dump' | 'metrics' | 'drain'; readonly id: number };

/** From a data-plane thread to the main thread. */
export type FromThread =
  | { readonly kind: 'certificate-needed'; readonly identity: string }
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly result:
        | { readonly ok: true; readonly value: unknown }
        | { readonly ok: false; readonly error: string };
    };

/** Answer to `dump`: connections by pod uid, and the store (from one thread only is enough). */
export interface ThreadDump {
  readonly workloads: readonly object[];
  readonly services: readonly object[];
  readonly policies: readonly object[];
  readonly connections: Readonly<
    Record<string, { readonly inbound: OpenConnection[]; readonly outbound: OpenConnection[] }>
  >;
}

/** Answer to `metrics`. */
export type ThreadMetrics = TrafficSnapshot;
