/** TLS between workloads of the mesh, with certificates over SDS: that of HBONE, and that of sidecars (spec control-plane 6.1; recordings l7/01–03). */
import { ApiConfigSource_ApiType, ApiVersion } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  type SdsSecretConfigSchema,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  UpstreamTlsContextSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import type { StringMatcherSchema } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { type Extension, extension, type Init, seconds } from './packed.ts';

type StringMatcherInit = Init<typeof StringMatcherSchema>;
export type SecretConfig = Init<typeof SdsSecretConfigSchema>;
type TlsContext = Init<typeof CommonTlsContextSchema>;

/** What the proxy's own agent serves: `default` is its certificate, `ROOTCA` the roots, `file-…` those of files. */
export function secret(name: string): SecretConfig {
  const agent = {
    targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: 'sds-grpc' } },
  };
  return {
    name,
    sdsConfig: {
      configSourceSpecifier: {
        case: 'apiConfigSource',
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [agent],
        },
      },
      ...(!name.startsWith('file-') && { initialFetchTimeout: seconds(0) }),
      resourceApiVersion: ApiVersion.V3,
    },
  };
}

function hboneContext(peerPrefixes: readonly string[]): TlsContext {
  return {
    alpnProtocols: ['h2'],
    tlsParams: {
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    },
    tlsCertificateSdsSecretConfigs: [secret('default')],
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: peerPrefixes.map((prefix) => ({
            sanType: SubjectAltNameMatcher_SanType.URI,
            matcher: { matchPattern: { case: 'prefix' as const, value: prefix } },
          })),
        },
        validationContextSdsSecretConfig: secret('ROOTCA'),
      },
    },
  };
}

/** Any identity of the trust domain may connect. */
export function terminatingTls(trustDomain: string): Extension {
  return extension('tls', DownstreamTlsContextSchema, {
    commonTlsContext: hboneContext([`spiffe://${trustDomain}/`]),
    requireClientCertificate: true,
  });
}

/** To workloads whose identity begins with one of `peers`. */
export function originatingTls(peers: readonly string[]): Extension {
  return extension('tls', UpstreamTlsContextSchema, { commonTlsContext: hboneContext(peers) });
}

const SIDECAR_TLS = {
  tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
  tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
} as const;
const SIDECAR_CIPHERS: readonly string[] = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
];

const TLS_SOCKET = 'envoy.transport_sockets.tls';

/** Names that a certificate must have one of; none stands for any. */
function namesOf(matchers: readonly StringMatcherInit[], root: string): TlsContext {
  return {
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: { matchSubjectAltNames: [...matchers] },
        validationContextSdsSecretConfig: secret(root),
      },
    },
  };
}

/** To a sidecar that has one of the identities; without any, whoever is in the mesh. */
export function toSidecar(
  identities: readonly string[],
  sni: string,
  protocols: readonly string[],
): Extension {
  const names = identities.map((value) => ({ matchPattern: { case: 'exact' as const, value } }));
  return extension(TLS_SOCKET, UpstreamTlsContextSchema, {
    sni,
    commonTlsContext: {
      alpnProtocols: [...protocols],
      tlsParams: SIDECAR_TLS,
      tlsCertificateSdsSecretConfigs: [secret('default')],
      ...namesOf(names, 'ROOTCA'),
    },
  });
}

/** At a sidecar, from anybody of the trust domain. */
export function atSidecar(trustDomain: string, protocols: readonly string[]): Extension {
  const value = `spiffe://${trustDomain}/`;
  return extension(TLS_SOCKET, DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: {
      alpnProtocols: [...protocols],
      tlsParams: { ...SIDECAR_TLS, cipherSuites: [...SIDECAR_CIPHERS] },
      tlsCertificateSdsSecretConfigs: [secret('default')],
      ...namesOf([{ matchPattern: { case: 'prefix', value } }], 'ROOTCA'),
    },
  });
}
