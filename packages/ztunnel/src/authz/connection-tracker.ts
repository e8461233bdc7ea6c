import type { StoreChange, WorkloadView } from '@aquifer/control-plane-client/store';
import { authorize, type PeerConnection, type Verdict, type Workload } from '@aquifer/model';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import { OpenSet } from '../open-set.ts';

/** An inbound connection that policies may end at any time. */
export interface TrackedConnection {
  readonly peer: PeerConnection;
  /** Called once, when policies no longer allow the connection. */
  readonly terminate: (verdict: Verdict & { readonly allowed: false }) => void;
}

/** What is to be shown of an open connection, if somebody asks. */
export interface ConnectionAddresses {
  readonly src: SocketAddress;
  /** An inbound connection has the hostname that its caller aimed at, if that was a service. */
  readonly originalDst: SocketAddress | string | null;
  readonly actualDst: SocketAddress;
  readonly protocol: 'TCP' | 'HBONE';
}

/** What the admin dump shows of an open connection. */
export interface OpenConnection {
  readonly src: string;
  readonly originalDst: string | null;
  readonly actualDst: string;
  readonly protocol: 'TCP' | 'HBONE';
}

interface Admitted {
  readonly connection: TrackedConnection;
  readonly addresses: ConnectionAddresses;
}

/**
 * Open connections of one pod. Always: a connection is tracked before it is first judged, so a policy that arrives
 * in between is not missed (spec ztunnel 4.4).
 */
export class ConnectionTracker {
  readonly #view: WorkloadView;
  readonly #destination: () => Workload | null;
  readonly #inbound = new OpenSet<Admitted>();
  readonly #outbound = new OpenSet<ConnectionAddresses>();

  /** `destination` is asked anew for every judgement: which policies select a workload may change. */
  constructor(view: WorkloadView, destination: () => Workload | null) {
    this.#view = view;
    this.#destination = destination;
  }

  /** Judges a new inbound connection and watches it until disposed. */
  admit(
    connection: TrackedConnection,
    addresses: ConnectionAddresses,
  ): { readonly verdict: Verdict; readonly entry: Disposable } {
    const entry = this.#inbound.add({ connection, addresses });
    const verdict = this.#judge(connection.peer);
    if (!verdict.allowed) entry[Symbol.dispose]();
    return { verdict, entry };
  }

  trackOutbound(addresses: ConnectionAddresses): Disposable {
    return this.#outbound.add(addresses);
  }

  /** Ends what is no longer allowed; returns how many connections that were. */
  reevaluate(change: StoreChange): number {
    if (!change.policies && !change.workloads) return 0;
    let ended = 0;
    for (const entry of this.#inbound.memberships()) {
      const { connection } = entry.member;
      const verdict = this.#judge(connection.peer);
      if (verdict.allowed) continue;
      entry[Symbol.dispose]();
      connection.terminate(verdict);
      ended += 1;
    }
    return ended;
  }

  connections(): { inbound: OpenConnection[]; outbound: OpenConnection[] } {
    return {
      inbound: this.#inbound.memberships().map(({ member }) => describe(member.addresses)),
      outbound: this.#outbound.memberships().map(({ member }) => describe(member)),
    };
  }

  #judge(peer: PeerConnection): Verdict {
    const destination = this.#destination();
    if (destination === null) {
      return { allowed: false, policy: null, reason: 'local workload is not known' };
    }
    return authorize(this.#view.policiesFor(destination), peer);
  }
}

function describe({ src, originalDst, actualDst, protocol }: ConnectionAddresses): OpenConnection {
  const aimedAt =
    originalDst === null || typeof originalDst === 'string'
      ? originalDst
      : formatSocketAddress(originalDst);
  return {
    src: formatSocketAddress(src),
    originalDst: aimedAt,
    actualDst: formatSocketAddress(actualDst),
    protocol,
  };
}
