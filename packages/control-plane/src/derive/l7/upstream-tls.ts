/** TLS that a DestinationRule asks for towards endpoints (spec l7 2.6; recordings l7/15, 17). */
import {
  TlsParameters_TlsProtocol,
  type UpstreamTlsContextSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import type { HttpProtocolOptionsSchema } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { TrafficPolicy } from '../traffic/traffic-policy.ts';
import { secret } from './mutual-tls.ts';
import type { Init } from './packed.ts';

type ClientTls = NonNullable<TrafficPolicy['tls']>;
type TlsContext = Init<typeof UpstreamTlsContextSchema>;
type TlsNames = NonNullable<Init<typeof HttpProtocolOptionsSchema>['upstreamHttpProtocolOptions']>;

/** TLS of the user's own, not of the mesh; null for every other mode. */
export function userTls(policy: TrafficPolicy | null): ClientTls | null {
  const tls = policy?.tls;
  return tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL' ? tls : null;
}

export function tlsContext(tls: ClientTls, isHttp2: boolean): TlsContext {
  const { mode, sni = '', clientCertificate = '', privateKey = '' } = tls;
  return {
    sni,
    commonTlsContext: {
      alpnProtocols: isHttp2 ? ['h2'] : [],
      tlsParams: {
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      },
      ...(mode === 'MUTUAL' && {
        tlsCertificateSdsSecretConfigs: [secret(`file-cert:${clientCertificate}~${privateKey}`)],
      }),
      validationContextType: validation(tls),
    },
  };
}

type Validation = NonNullable<NonNullable<TlsContext['commonTlsContext']>['validationContextType']>;

/** Without certificates of its own, those of the operating system are believed. */
function validation({
  caCertificates,
  subjectAltNames = [],
  insecureSkipVerify,
}: ClientTls): Validation {
  if (insecureSkipVerify === true) return { case: 'validationContext', value: {} };
  return {
    case: 'combinedValidationContext',
    value: {
      defaultValidationContext: {
        matchSubjectAltNames: subjectAltNames.map((value) => ({
          matchPattern: { case: 'exact' as const, value },
        })),
      },
      validationContextSdsSecretConfig: secret(`file-root:${caCertificates || 'system'}`),
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
