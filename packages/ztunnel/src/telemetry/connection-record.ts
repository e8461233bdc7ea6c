import { formatIdentity, type Identity, type Workload } from '@aquifer/model';
import { bare, type LogFields, type Logger } from '@aquifer/runtime';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import type { Peers, ResponseFlag } from './labels.ts';
import type { Totals, TrafficTotals } from './traffic-totals.ts';

/** How a connection ended. `policy` is the `namespace/name` that decided, when one did. */
export interface Outcome {
  readonly flag: ResponseFlag;
  /** Null for a normal end. */
  readonly error: string | null;
  readonly policy?: string | null;
}

export interface RecordedConnection extends Peers {
  /** Address of the peer that connected. */
  readonly client: SocketAddress;
  /** Where the bytes actually go: the next hop, or for HBONE inbound the pod's own address and 15008. */
  readonly dst: SocketAddress;
  /** Authority of the CONNECT request, if there is one. */
  readonly hboneAuthority: string | null;
}

export interface RecordDeps {
  readonly access: Logger;
  readonly totals: TrafficTotals;
}

/**
 * One connection's access line and metrics. Always: exactly one line is written, at the end; a record that nobody
 * closed says so.
 */
export class ConnectionRecord implements Disposable {
  readonly #connection: RecordedConnection;
  readonly #deps: RecordDeps;
  readonly #openedAtMs = performance.now();
  readonly #bytes: Totals;
  #received = 0;
  #sent = 0;
  #closed = false;

  constructor(connection: RecordedConnection, deps: RecordDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#bytes = deps.totals.bind(connection, '-');
    this.#bytes.opened += 1;
    if (deps.access.isEnabled('debug')) {
      deps.access.debug('connection opened', describe(connection));
    }
  }

  /** Request direction: from the caller to the callee. */
  received(bytes: number): void {
    this.#received += bytes;
    this.#bytes.receivedBytes += bytes;
  }

  /** Response direction. */
  sent(bytes: number): void {
    this.#sent += bytes;
    this.#bytes.sentBytes += bytes;
  }

  close(outcome: Outcome): void {
    if (this.#closed) return;
    this.#closed = true;
    const { totals, access } = this.#deps;
    const final = totals.bind(this.#connection, outcome.flag);
    final.closed += 1;
    if (outcome.flag !== '-') final.failed += 1;
    const isSource = this.#connection.reporter === 'source';
    const fields: LogFields = {
      ...describe(this.#connection),
      // From the application's point of view: what the pod of this proxy sent and received.
      bytes_sent: isSource ? this.#received : this.#sent,
      bytes_recv: isSource ? this.#sent : this.#received,
      duration: `${Math.round(performance.now() - this.#openedAtMs)}ms`,
      policy: outcome.policy ?? null,
      error: outcome.error,
    };
    access.log(outcome.error === null ? 'info' : 'error', 'connection complete', fields);
  }

  [Symbol.dispose](): void {
    this.close({ flag: 'CONNECT', error: 'connection was not closed by its owner' });
  }
}

/** A connection that was turned away before anything was known about it. */
export function logEarlyDeny(
  access: Logger,
  denied: {
    readonly client: SocketAddress;
    readonly dst: SocketAddress;
    readonly direction: 'inbound' | 'outbound';
    readonly error: string;
  },
): void {
  access.warn('connection failed', {
    'src.addr': bare(formatSocketAddress(denied.client)),
    'dst.addr': bare(formatSocketAddress(denied.dst)),
    direction: denied.direction,
    error: denied.error,
  });
}

/** Fields in the order of spec ztunnel 9.2; identities are shown only where TLS proved them. */
function describe(connection: RecordedConnection): LogFields {
  const { source, destination, isMutualTls, hboneAuthority } = connection;
  const sourceIdentity = isMutualTls ? connection.sourceIdentity : null;
  return {
    'src.addr': bare(formatSocketAddress(connection.client)),
    ...describeEnd('src', source, sourceIdentity),
    'dst.addr': bare(formatSocketAddress(connection.dst)),
    'dst.hbone_addr': hboneAuthority === null ? null : bare(hboneAuthority),
    'dst.service': connection.service?.hostname,
    ...describeEnd('dst', destination, isMutualTls ? destination : null),
    direction: connection.reporter === 'source' ? 'outbound' : 'inbound',
  };
}

function describeEnd(
  end: 'src' | 'dst',
  workload: Workload | null,
  identity: Identity | null,
): LogFields {
  return {
    [`${end}.workload`]: workload?.name,
    [`${end}.namespace`]: workload?.namespace,
    [`${end}.identity`]: identity === null ? null : formatIdentity(identity),
    [`${end}.cluster`]: workload?.clusterId,
  };
}
