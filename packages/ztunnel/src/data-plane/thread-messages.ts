import type { DemandChange } from '@aquifer/control-plane-client';
import type { SnapshotDelta } from '@aquifer/control-plane-client/snapshot';
import type { Http2Sizes, RevocationList, TlsRules } from '@aquifer/hbone';
import type { Workload } from '@aquifer/model';
import type { SocketSettings } from '../capture/pod-sockets.ts';
import type { OpenConnection } from '../connections/open-connections.ts';
import type { DemandEvent } from '../demand/thread-demands.ts';
import type { CapturedPod } from '../policy/captured-pod.ts';
import type { VersionedPolicy } from '../policy/policy-table.ts';
import type { SeriesAnnouncement } from '../telemetry/traffic-totals.ts';
import type { CertificateUpdate } from './certificates.ts';

export interface ThreadConfig {
  readonly network: string;
  readonly logFormat: 'plain' | 'json';
  readonly logLevels: string;
  readonly poolMaxStreams: number;
  readonly poolIdleMs: number;
  readonly preserveSource: boolean;
  readonly tunnelsToLoopback: boolean;
  readonly clusterDomain: string;
  /** Programs may say by SOCKS5 where they want to go. */
  readonly servesSocks: boolean;
  readonly preferredNamespace: string | null;
  readonly tls: TlsRules;
  /** Of tunnels, in both roles. */
  readonly http2: Http2Sizes;
  readonly sockets: SocketSettings;
  /** Of lines about what policies say. */
  readonly decisionLevel: 'debug' | 'info';
  /** Answers carry baggage, and that of peers is read. */
  readonly exchangesBaggage: boolean;
  /** There may be revocation lists. */
  readonly checksRevocation: boolean;
  /** Whether everything in the mesh is known, or what somebody asks for. */
  readonly discovery: 'complete' | 'on-demand';
}

/** What a data-plane thread is started with. */
export interface ThreadStart {
  readonly config: ThreadConfig;
  /** See `OpenSockets`. */
  readonly openSockets: SharedArrayBuffer;
}

/** What the control plane says about one captured pod. */
export interface OwnPodState {
  readonly uid: string;
  /** Null while it is gone. */
  readonly workload: Workload | null;
  /** Ids of the policies that select it, in the order in which they are judged. */
  readonly policies: readonly number[];
}

/** What the main thread tells every data-plane thread. */
export type ThreadMessage =
  /** Ahead of the state that names them. */
  | { readonly kind: 'policies'; readonly added: readonly VersionedPolicy[] }
  /** One batch of the control plane, as a whole. */
  | {
      readonly kind: 'state';
      /** Null if no workload or service changed. */
      readonly delta: SnapshotDelta | null;
      readonly pods: readonly OwnPodState[];
      readonly removedPolicies: readonly number[];
    }
  /** Behind the state that holds the answers. */
  | ({ readonly kind: 'demands' } & DemandChange)
  | { readonly kind: 'log-levels'; readonly levels: string }
  | { readonly kind: 'revocations'; readonly lists: readonly RevocationList[] }
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
  | { readonly kind: 'connections' | 'dns-readings' | 'drain' | 'abort' };

/** For metrics: a peer was refused or cut off since it is revoked, or cannot be looked up. */
export interface RevocationEvent {
  readonly kind: 'revocation-rejected' | 'revocation-untracked';
  readonly reporter: 'source' | 'destination';
}

/** What a data-plane thread says by itself. */
export type ThreadEvent =
  | { readonly kind: 'certificate-needed'; readonly identity: string }
  | RevocationEvent
  | DemandEvent
  | ({ readonly kind: 'series' } & SeriesAnnouncement);

/** Open connections of one pod. */
export interface PodConnections {
  readonly inbound: readonly OpenConnection[];
  readonly outbound: readonly OpenConnection[];
}

/** Answer to `connections`, by pod uid. Pieces of JSON, because a text crosses to another thread at no cost. */
export type ConnectionsAnswer = Readonly<
  Record<string, { readonly inbound: readonly string[]; readonly outbound: readonly string[] }>
>;
