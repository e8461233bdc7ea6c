/** TLS that a server of a gateway ends (spec l7 4.3; recording l7/20). */
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import type { ServerTls } from '../../gateway-api/gateway-listener.ts';
import { clusterSecret, pairName, rootsName } from '../cluster-secrets.ts';
import { type SecretConfig, secret } from '../mutual-tls.ts';
import { type Extension, extension, type Init } from '../packed.ts';

type CommonTls = Init<typeof CommonTlsContextSchema>;

/** Of other names Envoy would refuse the whole listener. */
const CIPHERS: readonly string[] = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
  'DES-CBC3-SHA',
];

const PROTOCOLS: ReadonlyMap<string, TlsProtocol> = new Map([
  ['TLS_AUTO', TlsProtocol.TLS_AUTO],
  ['TLSV1_0', TlsProtocol.TLSv1_0],
  ['TLSV1_1', TlsProtocol.TLSv1_1],
  ['TLSV1_2', TlsProtocol.TLSv1_2],
  ['TLSV1_3', TlsProtocol.TLSv1_3],
]);

const ASKING: readonly unknown[] = ['MUTUAL', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'];

export function serverTls(tls: ServerTls, isHttp: boolean): Extension {
  const isAsking = ASKING.includes(tls.mode);
  return extension('envoy.transport_sockets.tls', DownstreamTlsContextSchema, {
    requireClientCertificate: isAsking && tls.mode !== 'OPTIONAL_MUTUAL',
    commonTlsContext: {
      alpnProtocols: isHttp ? ['h2', 'http/1.1'] : [],
      ...parametersOf(tls),
      tlsCertificateSdsSecretConfigs: certificates(tls),
      ...(isAsking && clientsOf(tls)),
    },
  });
}

/** Nothing where everything is Envoy's own default. */
function parametersOf(tls: ServerTls): Pick<CommonTls, 'tlsParams'> {
  const {
    minProtocolVersion = 'TLS_AUTO',
    maxProtocolVersion = 'TLS_AUTO',
    cipherSuites = [],
  } = tls;
  const versions = [minProtocolVersion, maxProtocolVersion];
  const ciphers = cipherSuites.filter((name) => CIPHERS.includes(name));
  if (ciphers.length === 0 && versions.every((version) => version === 'TLS_AUTO')) return {};
  return {
    tlsParams: {
      tlsMinimumProtocolVersion: PROTOCOLS.get(minProtocolVersion) ?? TlsProtocol.TLS_AUTO,
      tlsMaximumProtocolVersion: PROTOCOLS.get(maxProtocolVersion) ?? TlsProtocol.TLS_AUTO,
      cipherSuites: ciphers,
    },
  };
}

function certificates(tls: ServerTls): SecretConfig[] {
  const { mode, credentialName = '', credentialNames = [], tlsCertificates = [] } = tls;
  if (mode === 'ISTIO_MUTUAL') return [secret('default')];
  const names = credentialNames.length > 0 ? credentialNames : [credentialName];
  if (names[0] !== '') return names.map((name) => clusterSecret(pairName(name)));
  const files = tlsCertificates.length > 0 ? tlsCertificates : [tls];
  return files.map(({ serverCertificate = '', privateKey = '' }) =>
    secret(`file-cert:${serverCertificate}~${privateKey}`),
  );
}

function clientsOf(tls: ServerTls): CommonTls {
  return {
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchSubjectAltNames: (tls.subjectAltNames ?? []).map((value) => ({
            matchPattern: { case: 'exact', value },
          })),
        },
        validationContextSdsSecretConfig: rootsOf(tls),
      },
    },
  };
}

function rootsOf({ mode, ...tls }: ServerTls): SecretConfig {
  const { credentialName = '', credentialNames = [], caCertCredentialName = '' } = tls;
  if (mode === 'ISTIO_MUTUAL') return secret('ROOTCA');
  const name = caCertCredentialName || credentialName || credentialNames[0];
  return name ? clusterSecret(rootsName(name)) : secret(`file-root:${tls.caCertificates ?? ''}`);
}
