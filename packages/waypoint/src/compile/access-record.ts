/** What logs, metrics and spans are made of. */
import type { HostMetadata } from '../clusters/host.ts';
import type { SourcePeer } from '../telemetry/source-peer.ts';

/** One finished request or connection, as its access line needs it. */
export interface AccessRecord {
  /** Of HTTP; null for bytes. */
  readonly protocol: string | null;
  /** Since the epoch. */
  readonly startedAtMs: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly flags: string;
  readonly details: string;
  /** Why a connection was ended from here; null otherwise. */
  readonly terminationDetails: string | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly upstreamServiceTimeMs: number | null;
  readonly requestHeaders: readonly string[];
  /** Of the answer, empty without one. */
  readonly responseHeaders: readonly string[];
  readonly authority: string;
  readonly upstreamHost: string | null;
  readonly upstreamCluster: string | null;
  readonly upstreamFailure: string | null;
  readonly downstreamLocal: string;
  readonly downstreamRemote: string;
  readonly routeName: string;
  /** Null for what is none of gRPC, or did not say. */
  readonly grpcStatus: string | null;
  readonly source: SourcePeer;
  /** Null where it is not known. */
  readonly destination: HostMetadata | null;
  /** Null where no span is made. */
  readonly traceId: string | null;
}
