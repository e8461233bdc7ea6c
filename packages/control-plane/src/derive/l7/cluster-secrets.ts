/** Secrets of the cluster as proxies ask for them: over the stream that their other configuration comes by (spec l7 7.4; recordings l7/20, 21). */
import { ApiVersion } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type { SecretConfig } from './mutual-tls.ts';

/** What holds certificates, and which part of it is wanted. */
export interface SecretReference {
  /** Who may have it: whoever may read Secrets of the namespace, whoever serves a Gateway that names it, or anybody. */
  readonly scheme: 'kubernetes' | 'kubernetes-gateway' | 'configmap';
  /** Null for the proxy's own. */
  readonly namespace: string | null;
  readonly name: string;
  readonly part: 'pair' | 'roots';
}

const ROOTS_ENDING = '-cacert';

/** By its name in configuration. */
export function clusterSecret(name: string): SecretConfig {
  return {
    name,
    sdsConfig: {
      configSourceSpecifier: { case: 'ads', value: {} },
      resourceApiVersion: ApiVersion.V3,
    },
  };
}

/** Of a certificate and its key; a name without a scheme is of a Secret beside the proxy. */
export function pairName(credential: string): string {
  return credential.includes('://') ? credential : `kubernetes://${credential}`;
}

/** Of the authorities that come with it. */
export function rootsName(credential: string): string {
  return `${pairName(credential)}${ROOTS_ENDING}`;
}

const NAME = /^(kubernetes|kubernetes-gateway|configmap):\/\/(?:([^/]+)\/)?([^/]+)$/;

/** Null for a name that means something else. */
export function parseSecretName(text: string): SecretReference | null {
  const [, scheme, namespace = null, full] = NAME.exec(text) ?? [];
  if (scheme === undefined || full === undefined) return null;
  const isRoots = full.endsWith(ROOTS_ENDING);
  return {
    scheme: scheme as SecretReference['scheme'],
    namespace,
    name: isRoots ? full.slice(0, -ROOTS_ENDING.length) : full,
    part: isRoots ? 'roots' : 'pair',
  };
}
