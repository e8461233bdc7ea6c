import type { Locality } from '@aquifer/model';

/** A sidecar, a gateway or an application that speaks gRPC by itself, as it describes itself while it is connected. */
export interface ProxyNode {
  readonly type: 'sidecar' | 'router' | 'grpc';
  readonly namespace: string;
  readonly podName: string;
  /** Its service account, if a token proved it; else empty. */
  readonly account: string;
  /** Its own; at least one. */
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Empty if it does not say. */
  readonly meshId: string;
  /** Null to do as its labels say. */
  readonly locality: Locality | null;
  /** Whether it takes HBONE itself. */
  readonly inboundTunnels: 'hbone' | 'none';
}
