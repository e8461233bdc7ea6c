import type { NetworkNamespace } from './netns.ts';

/** What all sockets of the proxy inside pods are like (spec ztunnel 1.7). */
export interface SocketSettings {
  /** SO_MARK, by which redirections know the proxy's own connections; null for none. */
  readonly mark: number | null;
  /** Of connections, in both directions. Null for none; Node's own would give a silent peer ten seconds. */
  readonly keepAlive: {
    readonly timeSeconds: number;
    readonly intervalSeconds: number;
    readonly retries: number;
  } | null;
  /** Sent bytes that nobody acknowledges for so long end a connection; null for the kernel's own limit. */
  readonly userTimeoutMs: number | null;
  /** Listeners share their ports: threads need it, and a new version beside the old one. */
  readonly reusesPorts: boolean;
  /** Listeners are dual-stack where the pod has IPv6. */
  readonly usesIpv6: boolean;
}

/** Where sockets are made, and how. */
export interface PodSockets {
  readonly namespace: NetworkNamespace;
  readonly settings: SocketSettings;
}
