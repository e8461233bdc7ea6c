import type { ResourceBatch } from '@aquifer/control-plane-client/store';
import type { DumpedPolicy } from '@aquifer/wire';
import type { OpenConnection } from '../authz/connection-tracker.ts';
import type { DnsCounts } from '../dns/dns-totals.ts';
import type { TrafficSnapshot } from '../telemetry/traffic-totals.ts';
import type { CertificateUpdate } from './certificates.ts';

/** A captured pod as the data plane needs it. */
export interface CapturedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  /** Its queries are answered by the proxy. */
  readonly captureDns: boolean;
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
  readonly clusterDomain: string;
  readonly preferredNamespace: string | null;
}

/** What the main thread tells every data-plane thread. */
export type ThreadMessage =
  | { readonly kind: 'addresses' | 'policies'; readonly batch: ResourceBatch }
  | { readonly kind: 'log-levels'; readonly levels: string }
  | { readonly kind: 'certificate'; readonly identity: string; readonly update: CertificateUpdate };

/** What it asks of every data-plane thread. */
export type ThreadQuestion =
  | {
      readonly kind: 'start-pod';
      readonly pod: CapturedPod;
      /** Open in this process, whichever thread opened it. */
      readonly namespaceFd: number;
    }
  | { readonly kind: 'stop-pod'; readonly uid: string }
  | { readonly kind: 'dump' | 'metrics' | 'drain' | 'abort' };

/** What a data-plane thread says by itself. */
export interface ThreadEvent {
  readonly certificateNeeded: string;
}

/** Answer to `dump`: connections by pod uid, and the store (from one thread only is enough). */
export interface ThreadDump {
  readonly workloads: readonly object[];
  readonly services: readonly object[];
  readonly policies: readonly DumpedPolicy[];
  readonly connections: Readonly<
    Record<string, { readonly inbound: OpenConnection[]; readonly outbound: OpenConnection[] }>
  >;
}

/** Answer to `metrics`. */
export interface ThreadMetrics {
  readonly traffic: TrafficSnapshot;
  readonly dns: readonly DnsCounts[];
}
