import { formatIdentity, type Identity } from '@aquifer/model';
import { bare, type LogFields, type Logger } from '@aquifer/runtime';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import type { DescribedPeer, Peers } from '../telemetry/labels.ts';
import type { Totals, TrafficTotals } from '../telemetry/traffic-totals.ts';
import type { Outcome } from './outcome.ts';

export interface RecordedConnection extends Peers {
  /** Address of the peer that connected. */
  readonly client: SocketAddress;
  /** Where the bytes actually go: the next hop, or for HBONE inbound the pod's own address and 15008. */
  readonly dst: SocketAddress;
  /** Authority of the CONNECT request, if there is one. */
  readonly hboneAuthority: string | null;
  /** Who the destination is shows when it is connected: see `ConnectionRecord.learn`. Default false. */
  readonly isBeyondGateway?: boolean;
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
  #connection: RecordedConnection;
  readonly #deps: RecordDeps;
  readonly #openedAtMs = performance.now();
  #bytes: Totals;
  #received = 0;
  #sent = 0;
  #opened = false;
  #closed = false;

  constructor(connection: RecordedConnection, deps: RecordDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#bytes = deps.totals.bind(connection, '-');
    if (connection.isBeyondGateway !== true) this.#open();
  }

  /** Who is behind the gateway; what they do not say stays as the route has it. */
  learn(identity: Identity, described: DescribedPeer | null): void {
    const destination = described ?? this.#connection.destination;
    this.#connection = { ...this.#connection, destination, destinationIdentity: identity };
    this.#bytes = this.#deps.totals.bind(this.#connection, '-');
    this.#open();
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
    this.#open();
    const { totals, access } = this.#deps;
    if (outcome.flag === '-') this.#bytes.closed += 1;
    else {
      const failed = totals.bind(this.#connection, outcome.flag);
      failed.closed += 1;
      failed.failed += 1;
    }
    const fields = describe(this.#connection, {
      received: this.#received,
      sent: this.#sent,
      duration: `${Math.floor(performance.now() - this.#openedAtMs)}ms`,
      outcome,
    });
    access.log(outcome.error === null ? 'info' : 'error', 'connection complete', fields);
  }

  /** Once: what is opened and closed has the same labels. */
  #open(): void {
    if (this.#opened) return;
    this.#opened = true;
    this.#bytes.opened += 1;
    const { access } = this.#deps;
    if (access.isEnabled('debug')) {
      access.debug('connection opened', describe(this.#connection, STILL_OPEN));
    }
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

interface Ending {
  readonly received: number | null;
  readonly sent: number | null;
  readonly duration: string | null;
  readonly outcome: Partial<Outcome>;
}

const STILL_OPEN: Ending = { received: null, sent: null, duration: null, outcome: {} };
const NOT_KNOWN = { name: null, namespace: null, clusterId: null };

/**
 * Fields in the order of spec ztunnel 9.2; identities are shown only where TLS proved them. One literal, since a line
 * whose fields are spread from others costs twice as much to make and to print.
 */
function describe(connection: RecordedConnection, ending: Ending): LogFields {
  const { hboneAuthority, isMutualTls } = connection;
  const source = connection.source ?? NOT_KNOWN;
  const destination = connection.destination ?? NOT_KNOWN;
  const isSource = connection.reporter === 'source';
  return {
    'src.addr': bare(formatSocketAddress(connection.client)),
    'src.workload': source.name,
    'src.namespace': source.namespace,
    'src.identity': isMutualTls ? identityText(connection.sourceIdentity) : null,
    'src.cluster': source.clusterId,
    'dst.addr': bare(formatSocketAddress(connection.dst)),
    'dst.hbone_addr': hboneAuthority === null ? null : bare(hboneAuthority),
    'dst.service': connection.service?.hostname,
    'dst.workload': destination.name,
    'dst.namespace': destination.namespace,
    'dst.identity': isMutualTls ? identityText(connection.destinationIdentity) : null,
    'dst.cluster': destination.clusterId,
    direction: isSource ? 'outbound' : 'inbound',
    // From the application's point of view: what the pod of this proxy sent and received.
    bytes_sent: isSource ? ending.received : ending.sent,
    bytes_recv: isSource ? ending.sent : ending.received,
    duration: ending.duration,
    policy: unnamedPolicy(ending.outcome),
    error: ending.outcome.error,
  };
}

/** A field that only our lines have: which policy decided, where ztunnel's error text does not say it. */
function unnamedPolicy({ policy, error }: Partial<Outcome>): string | null {
  if (policy === null || policy === undefined) return null;
  return error?.includes(policy) === true ? null : policy;
}

function identityText(identity: Identity | null): string | null {
  return identity === null ? null : formatIdentity(identity);
}
