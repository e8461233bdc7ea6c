import type { Socket } from 'node:net';
import { resetSocket, splice, type TunnelStream } from '@aquifer/hbone';
import type { Identity, Workload } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import type { NetworkNamespace } from '../capture/netns.ts';
import { dialInPod } from '../capture/sockets.ts';
import { ConnectionRecord, type RecordDeps, type RecordedConnection } from './connection-record.ts';
import type { ConnectionAddresses, OpenConnections } from './open-connections.ts';
import { copyOutcome, failureOutcome } from './outcome.ts';

/** Where connections of a pod are dialled from. */
export interface PodNetwork {
  readonly namespace: NetworkNamespace;
  /** Network this node is in. */
  readonly network: string;
  /** Whether applications see the caller's own address. */
  readonly preserveSource: boolean;
}

/** A caller that has not been answered yet. Either `accept` or `refuse` is called, and nothing afterwards. */
export interface Caller {
  /** The stream to copy, from the moment the application is connected. */
  readonly accept: () => Socket | TunnelStream;
  readonly refuse: (reason: 'policy' | 'unreachable') => void;
  /** Is given what to call if the caller gives up; otherwise callers that come and go would pile up dials. */
  readonly onGivenUp: ((giveUp: () => void) => void) | undefined;
}

/** An inbound connection, as far as listeners know it. */
export interface InboundCall {
  readonly caller: Caller;
  /** Proven by TLS; null for plaintext. */
  readonly identity: Identity | null;
  readonly client: SocketAddress;
  /** The application. */
  readonly upstream: SocketAddress;
  readonly addresses: ConnectionAddresses;
  readonly recorded: RecordedConnection & { readonly destination: Workload };
}

export interface AdmittedDeps {
  readonly connections: OpenConnections;
  readonly record: RecordDeps;
  readonly network: PodNetwork;
}

/** Judges an inbound connection; if it is allowed, connects the application and copies until both have ended. */
export async function carryInbound(call: InboundCall, deps: AdmittedDeps): Promise<void> {
  using connection = new AdmittedConnection(call, deps);
  if (connection.judge()) await connection.carry();
}

/**
 * ```
 * judged ──refused──► closed
 *    └──allowed──► dialling ──► copying ──► closed      policies may cut it from the first moment on
 * ```
 */
class AdmittedConnection implements Disposable {
  readonly #call: InboundCall;
  readonly #deps: AdmittedDeps;
  readonly #record: ConnectionRecord;
  #entry: Disposable | null = null;
  #upstream: Socket | null = null;
  #isCut = false;

  constructor(call: InboundCall, deps: AdmittedDeps) {
    this.#call = call;
    this.#deps = deps;
    this.#record = new ConnectionRecord(call.recorded, deps.record);
  }

  judge(): boolean {
    const { identity, client, upstream, addresses, caller } = this.#call;
    const { verdict, entry } = this.#deps.connections.admit({
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
    caller.refuse('policy');
    return false;
  }

  async carry(): Promise<void> {
    const { client, upstream, caller } = this.#call;
    const { namespace, preserveSource } = this.#deps.network;
    const sourceIp = preserveSource && client.ip !== upstream.ip ? client.ip : null;
    const { onGivenUp } = caller;
    try {
      const socket = await dialInPod(namespace, upstream, {
        sourceIp,
        ...(onGivenUp && { onGivenUp }),
      });
      if (this.#isCut) return resetSocket(socket);
      this.#upstream = socket;
      const ended = await splice(caller.accept(), socket, this.#record);
      this.#record.close(copyOutcome(ended, this.#deps.connections.isAborted));
    } catch (error) {
      this.#record.close(failureOutcome(error, 'connection failed'));
      if (!this.#isCut) caller.refuse('unreachable');
    }
  }

  #cut(policy: string | null): void {
    this.#isCut = true;
    this.#record.close({ flag: 'DENY', error: 'connection closed due to policy change', policy });
    // A reset of one side is passed on to the other.
    if (this.#upstream === null) this.#call.caller.refuse('policy');
    else resetSocket(this.#upstream);
  }

  [Symbol.dispose](): void {
    this.#entry?.[Symbol.dispose]();
    this.#record[Symbol.dispose]();
  }
}
