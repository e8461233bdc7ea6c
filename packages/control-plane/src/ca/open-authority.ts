/** Who signs, as the configuration says, and what the TLS ports of the control plane show. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aquifer/runtime';
import type { ControlPlaneConfig } from '../config.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import type { Expiry } from './authority.ts';
import type { CertificateIssuer } from './certificate-service.ts';
import { ExternalAuthority } from './external-authority.ts';
import { KubernetesSigner } from './kubernetes-signer.ts';
import { type AuthorityFacts, MeshAuthority } from './mesh-authority.ts';
import { type ServerIdentity, ServingCertificate } from './serving-certificate.ts';

/** Whom the mesh trusts. */
export interface Authority {
  /** PEM of every root that is trusted. */
  readonly rootBundle: string;
  readonly facts: AuthorityFacts;
  /** What somebody should attend to, in sentences; empty if all is well. */
  readonly notices: readonly string[];
  readonly expiries: readonly Expiry[];
  subscribe(listener: () => void): void;
  /** Until aborted; never throws. */
  keep(signal: AbortSignal): Promise<void>;
}

export interface OpenedAuthority {
  readonly authority: Authority;
  readonly identity: ServerIdentity;
  /** Null where proxies ask somebody else. */
  readonly issuer: CertificateIssuer | null;
}

export interface AuthorityDeps {
  readonly config: ControlPlaneConfig;
  readonly api: KubernetesApi;
  readonly log: Logger;
}

const RETRY_MS = 1000;

/** `serverNames` are those by which proxies know the control plane. Throws for material that cannot be used. */
export async function openAuthority(
  deps: AuthorityDeps,
  serverNames: readonly string[],
): Promise<OpenedAuthority> {
  const { config, log } = deps;
  if (!config.isAuthority) {
    const { servingCertificate: certificate, servingKey: key, servingRoots: roots } = config;
    const opened = await ExternalAuthority.open({ certificate, key, roots }, log.scope('ca'));
    if (!opened.ok) throw new UnusableAuthority(opened.error);
    return { authority: opened.value, identity: opened.value, issuer: null };
  }
  const authority = await waitForAuthority(deps);
  const identity = new ServingCertificate(authority, serverNames, config.defaultTtlMs);
  return { authority, identity, issuer: issuerOf(deps, authority) };
}

/** Who signs workloads. The TLS ports of the control plane are certified by its own authority all the same. */
function issuerOf(
  { api, config, log }: AuthorityDeps,
  authority: MeshAuthority,
): CertificateIssuer {
  if (config.externalAuthority === 'none') return authority;
  const { kubernetesSigner: signerName } = config;
  if (signerName === '') throw new UnusableAuthority('EXTERNAL_CA needs K8S_SIGNER');
  const rootBundle = (): string => authority.rootBundle;
  return new KubernetesSigner({ api, signerName, rootBundle, log: log.scope('ca') });
}

/** Nothing can be served without the key, so an API that is not there yet is waited for; a bad key is fatal. */
async function waitForAuthority({ api, config, log }: AuthorityDeps): Promise<MeshAuthority> {
  const { systemNamespace: namespace, authorityDirectory: directory } = config;
  const source = { api, namespace, directory };
  for (;;) {
    try {
      const externalRoots = config.externalAuthority === 'none' ? null : config.externalRoots;
      const settings = { ...config, externalRoots, source, log: log.scope('ca') };
      const opened = await MeshAuthority.open(settings);
      if (!opened.ok) throw new UnusableAuthority(opened.error);
      return opened.value;
    } catch (error) {
      if (error instanceof UnusableAuthority) throw error;
      log.warn('waiting for the Kubernetes API', { error: (error as Error).message });
      await delay(RETRY_MS);
    }
  }
}

class UnusableAuthority extends Error {
  override readonly name = 'UnusableAuthority';
}
