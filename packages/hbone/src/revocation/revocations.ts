import { X509Certificate } from 'node:crypto';
import {
  type CertificateName,
  isSignedBy,
  nameOf,
  type RevocationList,
} from './revocation-list.ts';

/** A peer whose certificate TLS has verified. */
export interface VerifiedPeer {
  /** With what the peer sent beside it as `issuerCertificate`, in its order. */
  readonly certificate: X509Certificate;
  /** What it was verified against, PEM. */
  readonly roots: string;
  /** Whether the peer was called, or has called. */
  readonly role: 'server' | 'client';
}

/** What metrics count. */
export interface RevocationEvents {
  /** A handshake was refused, or an open connection ended. */
  readonly onRejected: (role: VerifiedPeer['role']) => void;
  /** A certificate of the peer cannot be read, and will not be found on a list. */
  readonly onUntracked: (role: VerifiedPeer['role']) => void;
}

interface Watched {
  readonly peer: VerifiedPeer;
  readonly names: readonly CertificateName[];
  readonly onRevoked: () => void;
}

/** Nobody's chain is longer. Every certificate costs signature checks, so the rest is refused rather than skipped. */
const MAX_CERTIFICATES = 16;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * What authorities have revoked, and the open connections that depend on it (spec ztunnel 6.6). The whole chain counts;
 * a certificate whose authority has no list is good; lists have no expiry. A list is of the authority that signed it,
 * not of each that has its name. Nearly always two look-ups per certificate tell that nothing is revoked; only a
 * certificate that some list names costs signature checks.
 */
export class Revocations {
  readonly #events: RevocationEvents;
  readonly #watched = new Set<Watched>();
  #lists: ReadonlyMap<string, readonly RevocationList[]> = new Map();

  constructor(events: RevocationEvents) {
    this.#events = events;
  }

  /** Other lists hold from now on; connections that they forbid are ended. */
  replace(lists: readonly RevocationList[]): void {
    this.#lists = Map.groupBy(lists, ({ issuer }) => issuer);
    for (const watched of this.#watched) {
      const { peer, names, onRevoked } = watched;
      if (!this.#isRevoked(peer, names)) continue;
      this.#watched.delete(watched);
      this.#events.onRejected(peer.role);
      onRevoked();
    }
  }

  /**
   * Null if the peer is revoked already. Otherwise calls back once if it becomes so before what is returned is disposed.
   */
  watch(peer: VerifiedPeer, onRevoked: () => void): Disposable | null {
    const { names, isWhole } = namesOf(peer);
    if (!isWhole) this.#events.onUntracked(peer.role);
    if (this.#isRevoked(peer, names)) {
      this.#events.onRejected(peer.role);
      return null;
    }
    const watched = { peer, names, onRevoked };
    this.#watched.add(watched);
    return { [Symbol.dispose]: () => this.#watched.delete(watched) };
  }

  #isRevoked(peer: VerifiedPeer, names: readonly CertificateName[]): boolean {
    if (names.length > MAX_CERTIFICATES) return true;
    if (!names.some((name) => this.#naming(name).length > 0)) return false;
    return this.#hasRevokedPath(peer);
  }

  #naming({ issuer, serial }: CertificateName): readonly RevocationList[] {
    const lists = this.#lists.get(issuer) ?? [];
    return lists.filter(({ serials }) => serials.has(serial));
  }

  /**
   * Follows signatures from the leaf upwards: what the peer sent beside its chain, made up or not, neither hides nor
   * causes anything. Trust anchors are not looked up.
   */
  #hasRevokedPath({ certificate, roots }: VerifiedPeer): boolean {
    const anchors = (roots.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    const candidates = [...presented(certificate), ...anchors];
    const isAnchor = new Set(anchors.map(({ fingerprint256 }) => fingerprint256));
    const path = new Map([[certificate.fingerprint256, certificate]]);
    for (const member of path.values()) {
      if (isAnchor.has(member.fingerprint256)) continue;
      const issuers = candidates.filter((issuer) => hasIssued(issuer, member));
      const name = nameOf(member);
      const lists = name === null ? [] : this.#naming(name);
      if (lists.some((list) => issuers.some((issuer) => isSignedBy(list, issuer.publicKey)))) {
        return true;
      }
      for (const issuer of issuers) path.set(issuer.fingerprint256, issuer);
    }
    return false;
  }
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key that cannot have made the signature.
    return false;
  }
}

/** What the peer sent, its own certificate first. */
function presented(certificate: X509Certificate): X509Certificate[] {
  const all: X509Certificate[] = [];
  for (let each: X509Certificate | undefined = certificate; each !== undefined; ) {
    all.push(each);
    each = each.issuerCertificate;
  }
  return all;
}

function namesOf({ certificate }: VerifiedPeer): {
  readonly names: readonly CertificateName[];
  readonly isWhole: boolean;
} {
  const all = presented(certificate);
  const names = all.map(nameOf).filter((name) => name !== null);
  return { names, isWhole: names.length === all.length };
}
