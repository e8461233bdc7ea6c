/**
 * The authority in force while the control plane runs: reads its material again and again, changes over without a restart,
 * renews what is its own, and says what is wrong.
 *
 * Always: material that cannot be used changes nothing; what was good goes on, and `notices` names the fault.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ok, type Result } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import { CertificateAuthority, type ServerCertificate } from './authority.ts';
import {
  type AuthorityMaterial,
  type AuthoritySource,
  openMaterial,
  readExternalRoots,
  readMaterial,
} from './authority-store.ts';
import type { CertificateIssuer, IssueRequest } from './certificate-service.ts';
import { expiryNotices, isInLastFifth } from './expiry.ts';
import { joinBundles } from './pem.ts';
import { atTime, newestOf, type Rotation, replaced, trustedBundle } from './rotation.ts';
import { previousRoots, readTrustedRoots, textOfRoots } from './trusted-roots.ts';

export interface MeshAuthorityDeps {
  readonly source: AuthoritySource;
  readonly trustDomain: string;
  readonly log: Logger;
  /** Lifetime of a certificate whose request names none, in milliseconds. */
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
  /** File with roots of whoever signs workloads instead; null if nobody does. */
  readonly externalRoots: string | null;
}

/** What of the authority has to be in the cluster. */
export interface AuthorityFacts {
  /** PEM of every trusted root. */
  readonly rootBundle: string;
  /** Who else keeps the bundle: `others` may, and what they add to it is theirs. */
  readonly writers: 'us' | 'others';
  /** PEM; null if nothing is revoked. */
  readonly revocations: string | null;
  /** For the Secret that keeps them; null while it says so already. */
  readonly trustedRoots: string | null;
  /** Of the self-signed root, what its Secret is to say; null while it need not be renewed. */
  readonly renewal: RootRenewal | null;
}

export interface RootRenewal {
  /** Version of the Secret that is renewed: of several control planes one succeeds. */
  readonly resourceVersion: string;
  /** PEM. */
  readonly certificate: string;
}

const REREAD_MS = 2000;

export class MeshAuthority implements CertificateIssuer {
  readonly #deps: MeshAuthorityDeps;
  readonly #listeners = new Set<() => void>();
  #rotation: Rotation;
  /** Made when the rotation changes: every certificate that is issued brings it along. */
  #bundle: string;
  #external: string;
  #material: AuthorityMaterial;
  #storedRoots: string;
  #renewal: RootRenewal | null = null;
  #renewedByMs: number;
  #problem: string | null = null;
  #logged: readonly string[] = [];

  private constructor(
    deps: MeshAuthorityDeps,
    opened: {
      readonly material: AuthorityMaterial;
      readonly rotation: Rotation;
      readonly storedRoots: string;
      readonly external: string;
    },
    now: Date,
  ) {
    this.#deps = deps;
    this.#material = opened.material;
    this.#rotation = opened.rotation;
    this.#external = opened.external;
    this.#bundle = joinBundles(trustedBundle(opened.rotation), opened.external);
    this.#storedRoots = opened.storedRoots;
    // Others have signed before this process was there.
    this.#renewedByMs = now.getTime() + deps.defaultTtlMs / 2;
    this.#attend(now);
  }

  /** Throws when the API cannot be reached; the error value is material that cannot be used. */
  static async open(
    deps: MeshAuthorityDeps,
    now: Date = new Date(),
  ): Promise<Result<MeshAuthority, string>> {
    const { source, trustDomain, maxTtlMs, log } = deps;
    const material = await openMaterial(source, trustDomain);
    if (!material.ok) return material;
    const signer = load(material.value);
    if (!signer.ok) return signer;
    const external = await readExternalRoots(deps.externalRoots);
    if (!external.ok) return external;
    const storedRoots = await readTrustedRoots(source.api, source.namespace);
    const until = now.getTime() + maxTtlMs;
    const known = previousRoots(storedRoots, signer.value.rootBundle, until);
    if (!known.ok) log.warn('roots that were trusted before are not known', { error: known.error });
    const previous = known.ok ? known.value : [];
    const rotation = atTime({ kind: 'steady', signer: signer.value, previous }, now.getTime());
    const opened = { material: material.value, rotation, storedRoots, external: external.value };
    return ok(new MeshAuthority(deps, opened, now));
  }

  /** PEM of every root that is trusted: what `root-cert.pem` of `istio-ca-root-cert` holds. */
  get rootBundle(): string {
    return this.#bundle;
  }

  get facts(): AuthorityFacts {
    const trustedRoots = textOfRoots(this.#rotation);
    return {
      rootBundle: this.rootBundle,
      writers: 'us',
      revocations: newestOf(this.#rotation).pem['ca-crl.pem'] ?? null,
      trustedRoots: trustedRoots === this.#storedRoots ? null : trustedRoots,
      renewal: this.#renewal,
    };
  }

  /** What somebody should attend to, in sentences; empty if all is well. */
  get notices(): readonly string[] {
    const { origin, renewable } = this.#material;
    const expiring =
      renewable === null ? expiryNotices(newestOf(this.#rotation), origin, new Date()) : [];
    return this.#problem === null ? expiring : [this.#problem, ...expiring];
  }

  get expiries(): CertificateAuthority['expiries'] {
    return newestOf(this.#rotation).expiries;
  }

  async issue({ key, uri, ttlMs }: IssueRequest): Promise<string[]> {
    const now = new Date();
    // Proxies renew at half of a certificate's life, and learn of all roots then.
    this.#renewedByMs = Math.max(this.#renewedByMs, now.getTime() + ttlMs / 2);
    return [...this.#rotation.signer.signWorkload(key, [uri], ttlMs, now), this.rootBundle];
  }

  /** Changes when another certificate signs. */
  get signerId(): string {
    return this.#rotation.signer.fingerprint;
  }

  /** A certificate for TLS ports of the control plane itself. */
  issueServer(dnsNames: readonly string[], ttlMs: number, now: Date): ServerCertificate {
    return this.#rotation.signer.issueServer(dnsNames, ttlMs, now);
  }

  /** Called when `facts` or the signer may have changed. */
  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Until aborted; never throws. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(REREAD_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#reread();
    }
  }

  async #reread(): Promise<void> {
    const { source } = this.#deps;
    try {
      const found = await readMaterial(source);
      if (this.facts.trustedRoots !== null) {
        this.#storedRoots = await readTrustedRoots(source.api, source.namespace);
      }
      this.#problem = found.ok ? this.#take(found.value) : stays(found.error);
      const external = await readExternalRoots(this.#deps.externalRoots);
      if (external.ok) this.#trust(external.value);
      else this.#problem ??= stays(external.error);
    } catch (error) {
      this.#problem = stays(`the authority cannot be read again: ${(error as Error).message}`);
    }
    this.#attend(new Date());
  }

  /** Returns what is wrong with it, if anything. */
  #take(material: AuthorityMaterial | null): string | null {
    if (material === null) return stays(`${this.#material.origin} is gone`);
    if (isSameMaterial(material, this.#material)) {
      this.#material = material;
      return null;
    }
    const loaded = load(material);
    if (!loaded.ok) return stays(loaded.error);
    const times = { renewedByMs: this.#renewedByMs, maxTtlMs: this.#deps.maxTtlMs };
    this.#move(replaced(this.#rotation, loaded.value, Date.now(), times));
    this.#material = material;
    const { kind } = this.#rotation;
    this.#deps.log.info('authority replaced', {
      origin: material.origin,
      signsFrom: kind === 'steady' ? 'now' : new Date(this.#rotation.signsFromMs).toISOString(),
    });
    return null;
  }

  #trust(external: string): void {
    if (external === this.#external) return;
    this.#external = external;
    this.#bundle = joinBundles(trustedBundle(this.#rotation), external);
  }

  #move(rotation: Rotation): void {
    if (rotation === this.#rotation) return;
    this.#rotation = rotation;
    this.#bundle = joinBundles(trustedBundle(rotation), this.#external);
  }

  /** What is due by now, and who has to hear of it. */
  #attend(now: Date): void {
    this.#move(atTime(this.#rotation, now.getTime()));
    this.#renewal = this.#renewalAt(now);
    const { notices } = this;
    for (const notice of notices) {
      if (!this.#logged.includes(notice)) this.#deps.log.warn('certificate authority', { notice });
    }
    this.#logged = notices;
    for (const listener of this.#listeners) listener();
  }

  #renewalAt(now: Date): RootRenewal | null {
    const { renewable } = this.#material;
    const [own] = newestOf(this.#rotation).expiries;
    if (renewable === null || own === undefined || !isInLastFifth(own, now)) return null;
    if (this.#renewal?.resourceVersion === renewable) return this.#renewal;
    const certificate = newestOf(this.#rotation).renewedRoot(now);
    return certificate === null ? null : { resourceVersion: renewable, certificate };
  }
}

function load({ origin, pem }: AuthorityMaterial): Result<CertificateAuthority, string> {
  const loaded = CertificateAuthority.load(pem);
  return loaded.ok ? loaded : { ok: false, error: `${origin}: ${loaded.error}` };
}

function stays(problem: string): string {
  return `${problem}; the authority in use stays until that is corrected`;
}

function isSameMaterial(a: AuthorityMaterial, b: AuthorityMaterial): boolean {
  return a.origin === b.origin && JSON.stringify(a.pem) === JSON.stringify(b.pem);
}
