/** The TLS of HBONE at a waypoint: version 1.3, mesh certificates over SDS, peers of the trust domain (spec control-plane 6.1). */
import { ApiConfigSource_ApiType, ApiVersion } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  type SdsSecretConfigSchema,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  UpstreamTlsContextSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { type Extension, extension, type Init, seconds } from './packed.ts';

type SecretConfig = Init<typeof SdsSecretConfigSchema>;
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

function context(peerPrefixes: readonly string[]): TlsContext {
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
    commonTlsContext: context([`spiffe://${trustDomain}/`]),
    requireClientCertificate: true,
  });
}

/** To any workload of the trust domain, so also to those of the waypoint's own namespace, as recorded. */
export function originatingTls(trustDomain: string, namespace: string): Extension {
  const mesh = `spiffe://${trustDomain}/`;
  return extension('tls', UpstreamTlsContextSchema, {
    commonTlsContext: context([mesh, `${mesh}ns/${namespace}/sa/`]),
  });
}
