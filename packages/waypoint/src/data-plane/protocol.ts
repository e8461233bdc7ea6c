import type { WorkloadCertificate } from '@aquifer/hbone';
import type { ProxyNode } from '../telemetry/exporters.ts';
import type { RequestSeries } from '../telemetry/request-telemetry.ts';
import type { ResourceKind } from './resources.ts';

/** What a data-plane thread is started with. */
export interface ThreadConfig {
  readonly trustDomain: string;
  /** What this proxy says about itself in `baggage`. */
  readonly baggage: string;
  readonly hbonePort: number;
  /** Serve listeners with an address of their own, as a static configuration has. */
  readonly bindsListeners: boolean;
  readonly logFormat: 'plain' | 'json';
  readonly logLevels: string;
  readonly node: ProxyNode;
}

/** What the main thread tells every data-plane thread. Resources are the bytes that came over the wire. */
export type ThreadMessage =
  | {
      readonly kind: 'resources';
      readonly type: ResourceKind;
      readonly upserts: readonly { readonly name: string; readonly body: Uint8Array }[];
      readonly removed: readonly string[];
    }
  | { readonly kind: 'certificate'; readonly certificate: WorkloadCertificate }
  | { readonly kind: 'log-levels'; readonly levels: string };

/** What it asks of every data-plane thread. */
export interface ThreadQuestion {
  readonly kind:
    | 'listen'
    | 'metrics'
    | 'passed'
    | 'clusters'
    | 'announce-end'
    | 'drain'
    | 'busy-connections'
    | 'close-idle';
}

/** Nothing is said unasked. */
export type ThreadEvent = never;

/** Answer to `metrics`. */
export type ThreadMetrics = readonly RequestSeries[];
