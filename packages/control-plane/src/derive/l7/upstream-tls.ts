/** TLS that a DestinationRule asks for towards endpoints (spec l7 2.6; recordings l7/15, 17). */
import {
  TlsParameters_TlsProtocol,
  type UpstreamTlsContextSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import type { HttpProtocolOptionsSchema } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { ClientTls, TrafficPolicy } from '../traffic/traffic-policy.ts';
import { clusterSecret, pairName, rootsName } from './cluster-secrets.ts';
import { type SecretConfig, secret } from './mutual-tls.ts';
import type { Init } from './packed.ts';

type TlsContext = Init<typeof UpstreamTlsContextSchema>;
type TlsNames = NonNullable<Init<typeof HttpProtocolOptionsSchema>['upstreamHttpProtocolOptions']>;

/** TLS of the user's own, not of the mesh; null for every other mode. */
export function userTls(policy: TrafficPolicy | null): ClientTls | null {
  const tls = policy?.tls;
  return tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL' ? tls : null;
}

/** Where a proxy finds certificates that a rule names: gateways are served Secrets, the others have files only. */
export type Certificates = 'secrets' | 'files';

export function tlsContext(tls: ClientTls, isHttp2: boolean, found: Certificates): TlsContext {
  const { mode, sni = '' } = tls;
  return {
    sni,
    commonTlsContext: {
      alpnProtocols: isHttp2 ? ['h2'] : [],
      tlsParams: {
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      },
      ...(mode === 'MUTUAL' && {
        tlsCertificateSdsSecretConfigs: [clientCertificateOf(tls, found)],
      }),
      validationContextType: validation(tls, found),
    },
  };
}

type Validation = NonNullable<NonNullable<TlsContext['commonTlsContext']>['validationContextType']>;

function isServed({ credentialName = '' }: ClientTls, found: Certificates): boolean {
  return found === 'secrets' && credentialName !== '';
}

function clientCertificateOf(tls: ClientTls, found: Certificates): SecretConfig {
  const { credentialName = '', clientCertificate = '', privateKey = '' } = tls;
  return isServed(tls, found)
    ? clusterSecret(pairName(credentialName))
    : secret(`file-cert:${clientCertificate}~${privateKey}`);
}

/** Without certificates of its own, those of the operating system are believed. */
function validation(tls: ClientTls, found: Certificates): Validation {
  const { caCertificates, credentialName = '', roots, subjectAltNames = [] } = tls;
  if (tls.insecureSkipVerify === true) return { case: 'validationContext', value: {} };
  const matchSubjectAltNames = subjectAltNames.map((value) => ({
    matchPattern: { case: 'exact' as const, value },
  }));
  const areServed = isServed(tls, found);
  if (roots !== undefined && !areServed) {
    const trustedCa = { specifier: { case: 'inlineString' as const, value: roots } };
    return { case: 'validationContext', value: { trustedCa, matchSubjectAltNames } };
  }
  return {
    case: 'combinedValidationContext',
    value: {
      defaultValidationContext: { matchSubjectAltNames },
      validationContextSdsSecretConfig: areServed
        ? clusterSecret(rootsName(credentialName))
        : secret(`file-root:${caCertificates || 'system'}`),
    },
  };
}

/** What the names of TLS are where the rule says none: the request's own; null if they need not be found. */
export function namesOfRequest(tls: ClientTls | null): TlsNames | null {
  if (tls === null || tls.sni) return null;
  const { subjectAltNames = [], insecureSkipVerify } = tls;
  const isValidated = insecureSkipVerify !== true && subjectAltNames.length === 0;
  return { autoSni: true, ...(isValidated && { autoSanValidation: true }) };
}
