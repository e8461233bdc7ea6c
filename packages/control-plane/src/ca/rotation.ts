/**
 * From one authority to the next, so that at any time everybody trusts whoever signed anything that is in use.
 *
 * ```
 *          material whose root everybody trusts: a new intermediate, a renewed root
 *        ┌──────────┐
 *        │          ▼      material with another root
 *        └────── steady ─────────────────────────────► introducing   both roots are trusted, the old one signs
 *                   ▲                                       │
 *                   └───────────────────────────────────────┘
 *                     every proxy has renewed its certificate, and so has the new root
 * ```
 *
 * A root that the material no longer has stays trusted until what was signed below it is gone.
 */
import type { CertificateAuthority } from './authority.ts';
import { certificatesIn, fingerprintOf, joinBundles } from './pem.ts';

/** A root that is trusted for what it has signed, and signs no more. */
export interface PreviousRoot {
  /** PEM. */
  readonly certificate: string;
  readonly untilMs: number;
}

export type Rotation =
  | {
      readonly kind: 'steady';
      readonly signer: CertificateAuthority;
      readonly previous: readonly PreviousRoot[];
    }
  | {
      readonly kind: 'introducing';
      readonly signer: CertificateAuthority;
      readonly next: CertificateAuthority;
      readonly signsFromMs: number;
      readonly previous: readonly PreviousRoot[];
    };

/** What a rotation goes by besides the clock. */
export interface RotationTimes {
  /** When the last proxy will have renewed the certificate that it has. */
  readonly renewedByMs: number;
  /** Longest life of what is signed, in milliseconds. */
  readonly maxTtlMs: number;
}

/** The authority that the material is, or will be. */
export function newestOf(rotation: Rotation): CertificateAuthority {
  return rotation.kind === 'steady' ? rotation.signer : rotation.next;
}

/** PEM of everything that is trusted; what signs comes first. */
export function trustedBundle(rotation: Rotation): string {
  const { signer, previous } = rotation;
  const next = newestOf(rotation);
  return joinBundles(
    signer.rootBundle,
    next.rootBundle,
    ...previous.map(({ certificate }) => certificate),
  );
}

/** Other material has been put in place of what there was. */
export function replaced(
  rotation: Rotation,
  authority: CertificateAuthority,
  nowMs: number,
  { renewedByMs, maxTtlMs }: RotationTimes,
): Rotation {
  const trusted = trustedBundle(rotation);
  const isTrusted = authority.leadsTo(trusted);
  const signsFromMs = isTrusted ? nowMs : Math.min(renewedByMs, rotation.signer.notAfter.getTime());
  const previous = retire(rotation, authority, signsFromMs + maxTtlMs);
  return signsFromMs <= nowMs
    ? { kind: 'steady', signer: authority, previous }
    : { kind: 'introducing', signer: rotation.signer, next: authority, signsFromMs, previous };
}

/** What the passing of time changes; the same value if nothing. */
export function atTime(rotation: Rotation, nowMs: number): Rotation {
  const previous = rotation.previous.filter(({ untilMs }) => untilMs > nowMs);
  if (rotation.kind === 'introducing' && rotation.signsFromMs <= nowMs) {
    return { kind: 'steady', signer: rotation.next, previous };
  }
  return previous.length === rotation.previous.length ? rotation : { ...rotation, previous };
}

/** Roots that were trusted and that the material has not got; those that are old already keep their time. */
function retire(
  rotation: Rotation,
  authority: CertificateAuthority,
  untilMs: number,
): readonly PreviousRoot[] {
  const wanted = new Set(certificatesIn(authority.rootBundle).map(fingerprintOf));
  const known = new Set(rotation.previous.map(({ certificate }) => fingerprintOf(certificate)));
  const retired = certificatesIn(
    joinBundles(rotation.signer.rootBundle, newestOf(rotation).rootBundle),
  ).map((certificate) => ({ certificate, untilMs }));
  return [
    ...rotation.previous,
    ...retired.filter(({ certificate }) => !known.has(fingerprintOf(certificate))),
  ].filter(({ certificate }) => !wanted.has(fingerprintOf(certificate)));
}
