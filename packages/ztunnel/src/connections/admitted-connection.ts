import type { Socket } from 'node:net';
import { resetSocket, splice, type TunnelLease } from '@aquifer/hbone';
import type { Identity, Workload } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import type { PodSockets } from '../capture/pod-sockets.ts';
import { dialInPod } from '../capture/sockets.ts';
import { ConnectionRecord, type RecordDeps, type RecordedConnection } from './connection-record.ts';
import type { ConnectionAddresses, OpenConnections } from './open-connections.ts';
import { copyOutcome, failureOutcome } from './outcome.ts';

/** Where connections of a pod are dialled from. */
export interface PodNetwork {
  readonly sockets: PodSockets;
  /** Network this node is in. */
  readonly network: string;
  /** Whether applications see the caller's own address. */
  readonly preserveSource: boolean;
  /** Application tunnels end at the pod's loopback address. */
  readonly tunnelsToLoopback: boolean;
  /** Nothing may be tunnelled to them, or sent to them from the pod itself. */
  readonly proxyPorts: ReadonlySet<number>;
}

/** A caller that has not been answered yet. Either `accept` or `refuse` is called, and nothing afterwards. */
export interface Caller {
  /** The stream to copy, from the moment the application is connected. */
  readonly accept: () => Socket | TunnelLease['exchange'];
  readonly refuse: (reason: 'policy' | 'unreachable') => void;
  /** Is given what to call if the caller gives up; otherwise callers that come and go would pile up dials. */
  readonly onGivenUp: ((giveUp: (why?: Error) => void) => void) | undefined;
}

/** An inbound connection, as far as listeners know it. */
export interface InboundCall {
  readonly caller: Caller;
  /** Proven by TLS; null for plaintext. */
  readonly identity: Identity | null;
  readonly client: SocketAddress;
  /** The application. */
  readonly upstream: SocketAddress;
  /** What the application is told before the first byte; null for nothing. */
  readonly preamble: Uint8Array | null;
  readonly addresses: ConnectionAddresses;
  readonly recorded: RecordedConnection & { readonly destination: Workload };
}

export interface AdmittedDeps {
  readonly connections: OpenConnections;
  readonly record: RecordDeps;
  readonly network: PodNetwork;
}

/** Judges an inbound connection; if it is allowed, connects the application and copies until both have ended. */
export function carryInbound(call: InboundCall, deps: AdmittedDeps): Promise<void> {
  return new AdmittedConnection(call, deps).run();
}

/**
 * ```
 * judged ──refused──► closed
 *    └──allowed──► dialling ──► copying ──► closed      policies may cut it from the first moment on
 * ```
 * What only the first states need is let go before bytes flow: a connection may stay open and idle for days.
 */
class AdmittedConnection {
  readonly #connections: OpenConnections;
  readonly #record: ConnectionRecord;
  /** Until the caller is answered. */
  #waiting: { readonly call: InboundCall; readonly network: PodNetwork } | null;
  #entry: Disposable | null = null;
  #upstream: Socket | null = null;
  #isCut = false;

  constructor(call: InboundCall, { connections, record, network }: AdmittedDeps) {
    this.#connections = connections;
    this.#record = new ConnectionRecord(call.recorded, record);
    this.#waiting = { call, network };
  }

  async run(): Promise<void> {
    try {
      if (!this.#judge()) return;
      const upstream = await this.#dial();
      if (this.#isCut) return resetSocket(upstream);
      const preamble = this.#waiting?.call.preamble ?? null;
      if (preamble !== null) upstream.write(preamble);
      const ended = await splice(this.#accept(upstream), upstream, this.#record);
      this.#record.close(copyOutcome(ended, this.#connections.isAborted));
    } catch (error) {
      this.#record.close(failureOutcome(error, 'connection failed'));
      this.#refuse('unreachable');
    } finally {
      this.#entry?.[Symbol.dispose]();
      this.#record[Symbol.dispose]();
    }
  }

  #judge(): boolean {
    const { identity, client, upstream, addresses } = this.#waiting!.call;
    const { verdict, entry } = this.#connections.admit({
      peer: {
        sourceIdentity: identity,
        sourceIp: client.ip,
        destinationIp: upstream.ip,
        destinationPort: upstream.port,
      },
      addresses,
      terminate: ({ policy }) => this.#cut(policy),
    });
    this.#entry = entry;
    if (verdict.allowed) return true;
    const error = `connection closed due to policy rejection: ${verdict.reason}`;
    this.#record.close({ flag: 'DENY', error, policy: verdict.policy });
    this.#refuse('policy');
    return false;
  }

  #dial(): Promise<Socket> {
    const { call, network } = this.#waiting!;
    const { client, upstream, caller } = call;
    const isLoopback = upstream.ip === '127.0.0.1' || upstream.ip === '::1';
    const isSpoofed = network.preserveSource && client.ip !== upstream.ip && !isLoopback;
    const sourceIp = isSpoofed ? client.ip : null;
    const { onGivenUp } = caller;
    return dialInPod(network.sockets, upstream, { sourceIp, ...(onGivenUp && { onGivenUp }) });
  }

  #accept(upstream: Socket): Socket | TunnelLease['exchange'] {
    const stream = this.#waiting!.call.caller.accept();
    this.#upstream = upstream;
    this.#waiting = null;
    return stream;
  }

  #refuse(reason: 'policy' | 'unreachable'): void {
    this.#waiting?.call.caller.refuse(reason);
    this.#waiting = null;
  }

  #cut(policy: string | null): void {
    this.#isCut = true;
    this.#record.close({ flag: 'DENY', error: 'connection closed due to policy change', policy });
    // A reset of one side is passed on to the other.
    if (this.#upstream === null) this.#refuse('policy');
    else resetSocket(this.#upstream);
  }
}
