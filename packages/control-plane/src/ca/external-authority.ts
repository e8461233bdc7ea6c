/**
 * An authority elsewhere that proxies ask themselves, such as istio-csr: the control plane signs nothing. What it shows on its
 * TLS ports, and the roots that are trusted, are files that somebody else keeps up to date.
 *
 * Always: files that cannot be used change nothing; what was good goes on, and `notices` names the fault.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { err, ok, type Result } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import type { Expiry, ServerCertificate } from './authority.ts';
import { expiryNotices } from './expiry.ts';
import type { AuthorityFacts } from './mesh-authority.ts';
import { certificatesIn } from './pem.ts';
import type { ServerIdentity } from './serving-certificate.ts';

export interface ExternalFiles {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

interface Opened {
  readonly serving: ServerCertificate;
  /** PEM. */
  readonly roots: string;
  readonly expiries: readonly Expiry[];
}

const REREAD_MS = 2000;

export class ExternalAuthority implements ServerIdentity {
  readonly #files: ExternalFiles;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #opened: Opened;
  #problem: string | null = null;
  #logged: readonly string[] = [];

  private constructor(files: ExternalFiles, log: Logger, opened: Opened) {
    this.#files = files;
    this.#log = log;
    this.#opened = opened;
  }

  /** The error names the file that cannot be used. */
  static async open(files: ExternalFiles, log: Logger): Promise<Result<ExternalAuthority, string>> {
    const opened = await readFiles(files);
    return opened.ok ? ok(new ExternalAuthority(files, log, opened.value)) : opened;
  }

  get rootBundle(): string {
    return this.#opened.roots;
  }

  get facts(): AuthorityFacts {
    const { rootBundle } = this;
    return { rootBundle, writers: 'others', revocations: null, trustedRoots: null, renewal: null };
  }

  get notices(): readonly string[] {
    const expiring = expiryNotices(this.#opened, 'files of the control plane', new Date());
    return this.#problem === null ? expiring : [this.#problem, ...expiring];
  }

  get expiries(): readonly Expiry[] {
    return this.#opened.expiries;
  }

  get current(): ServerCertificate {
    return this.#opened.serving;
  }

  /** Called when anything may have changed. */
  subscribe(listener: (certificate: ServerCertificate) => void): void {
    this.#listeners.add(() => listener(this.current));
  }

  /** Until aborted; never throws. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(REREAD_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#reread();
    }
  }

  async #reread(): Promise<void> {
    const { serving, roots } = this.#opened;
    const read = await readFiles(this.#files);
    this.#problem = read.ok ? null : `${read.error}; what was read before stays`;
    if (read.ok) this.#opened = read.value;
    const { notices } = this;
    for (const notice of notices) {
      if (!this.#logged.includes(notice)) this.#log.warn('certificate authority', { notice });
    }
    this.#logged = notices;
    if (serving.chain === this.current.chain && roots === this.rootBundle) return;
    this.#log.info('certificates of the control plane replaced');
    for (const listener of this.#listeners) listener();
  }
}

async function readFiles(files: ExternalFiles): Promise<Result<Opened, string>> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const [chain, key, roots] = await Promise.all([
    read(files.certificate),
    read(files.key),
    read(files.roots),
  ]);
  const certificates = parsed(chain);
  if (certificates === null) return err(`${files.certificate} has no certificate`);
  const trusted = parsed(roots);
  if (trusted === null) return err(`${files.roots} has no roots`);
  if (!isKeyOf(key, certificates[0]!)) {
    return err(`${files.key} is not the key of ${files.certificate}`);
  }
  const expiries = [
    ...certificates.map((certificate) => expiryOf(certificate, 'ca-cert.pem')),
    ...trusted.map((root) => expiryOf(root, 'root-cert.pem')),
  ];
  return ok({ serving: { key, chain }, roots, expiries });
}

/** At least one; null if there is none, or one that cannot be read. */
function parsed(bundle: string): readonly X509Certificate[] | null {
  try {
    const found = certificatesIn(bundle).map((pem) => new X509Certificate(pem));
    return found.length === 0 ? null : found;
  } catch {
    return null;
  }
}

function isKeyOf(pem: string, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(pem));
  } catch {
    return false;
  }
}

function expiryOf({ validFromDate, validToDate }: X509Certificate, part: Expiry['part']): Expiry {
  return { part, from: validFromDate, to: validToDate };
}
