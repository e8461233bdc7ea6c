import { judgedConnection, type PeerConnection, type Verdict } from '@aquifer/model';
import type { TimeSlice } from '@aquifer/runtime';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import type { DecisionLog } from '../policy/decision-log.ts';
import type { OwnPod } from '../policy/own-pod.ts';
import type { Rejudged } from '../policy/rejudgement.ts';
import { type Membership, OpenSet } from './open-set.ts';

/** An inbound connection that policies may end at any time. */
export interface TrackedConnection {
  readonly peer: PeerConnection;
  readonly addresses: ConnectionAddresses;
  /** Called once, when policies no longer allow the connection. */
  readonly terminate: (verdict: Verdict & { readonly allowed: false }) => void;
}

/** What is to be shown of an open connection, if somebody asks. */
export interface ConnectionAddresses {
  readonly src: SocketAddress;
  /** An inbound connection has the hostname that its caller aimed at, if that was a service. */
  readonly originalDst: SocketAddress | string | null;
  readonly actualDst: SocketAddress;
  readonly protocol: 'TCP' | 'HBONE' | 'DOUBLEHBONE';
}

/** What the admin dump shows of an open connection. */
export interface OpenConnection {
  readonly src: string;
  readonly originalDst: string | null;
  readonly actualDst: string;
  readonly protocol: 'TCP' | 'HBONE' | 'DOUBLEHBONE';
}

/** A text of so many connections is made within a millisecond. */
const CONNECTIONS_PER_PIECE = 200;

/**
 * Open connections of one pod. Always: a connection is tracked before it is first judged, so a policy that arrives
 * in between is not missed (spec ztunnel 4.4).
 */
export class OpenConnections implements Rejudged {
  readonly #own: Pick<OwnPod, 'policies'>;
  readonly #decisions: DecisionLog | null;
  readonly #inbound = new OpenSet<TrackedConnection>();
  readonly #outbound = new OpenSet<ConnectionAddresses>();
  #isAborted = false;

  /** Decisions are logged if there is somewhere to log them. */
  constructor(own: Pick<OwnPod, 'policies'>, decisions: DecisionLog | null = null) {
    this.#own = own;
    this.#decisions = decisions;
  }

  /** Whether they are being ended because their time to finish is over. */
  get isAborted(): boolean {
    return this.#isAborted;
  }

  abort(): void {
    this.#isAborted = true;
  }

  /** Judges a new inbound connection and watches it until disposed. */
  admit(connection: TrackedConnection): {
    readonly verdict: Verdict;
    readonly entry: Disposable;
  } {
    const entry = this.#inbound.add(connection);
    const verdict = this.#judge(connection.peer);
    this.#decisions?.record(connection.peer, this.#own.policies);
    if (!verdict.allowed) entry[Symbol.dispose]();
    return { verdict, entry };
  }

  trackOutbound(addresses: ConnectionAddresses): Disposable {
    return this.#outbound.add(addresses);
  }

  async judgeAgain(slice: TimeSlice): Promise<void> {
    const { policies } = this.#own;
    for (const entry of this.#inbound.memberships()) {
      if (slice.isOver()) await slice.next();
      // Newer policies are asked for separately.
      if (policies !== this.#own.policies) return;
      this.#endIfRefused(entry);
    }
  }

  /** JSON texts of some connections each. */
  async describe(slice: TimeSlice): Promise<{ inbound: string[]; outbound: string[] }> {
    return {
      inbound: await pieces(
        this.#inbound.memberships().map(({ member }) => member.addresses),
        slice,
      ),
      outbound: await pieces(
        this.#outbound.memberships().map(({ member }) => member),
        slice,
      ),
    };
  }

  #endIfRefused(entry: Membership<TrackedConnection>): void {
    if (!entry.isMember) return;
    const verdict = this.#judge(entry.member.peer);
    if (verdict.allowed) return;
    this.#decisions?.record(entry.member.peer, this.#own.policies);
    entry[Symbol.dispose]();
    entry.member.terminate(verdict);
  }

  #judge(peer: PeerConnection): Verdict {
    const verdict = this.#own.policies?.judge(judgedConnection(peer));
    return verdict ?? { allowed: false, policy: null, reason: 'local workload is not known' };
  }
}

async function pieces(all: readonly ConnectionAddresses[], slice: TimeSlice): Promise<string[]> {
  const texts: string[] = [];
  for (let at = 0; at < all.length; at += CONNECTIONS_PER_PIECE) {
    if (slice.isOver()) await slice.next();
    texts.push(JSON.stringify(all.slice(at, at + CONNECTIONS_PER_PIECE).map(describe)));
  }
  return texts;
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
