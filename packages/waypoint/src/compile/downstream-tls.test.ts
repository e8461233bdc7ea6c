import { FilterChainSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { KNOWN_TYPES } from '../capabilities/known-types.ts';
import { compileDownstreamTls } from './downstream-tls.ts';

const COMMON: Record<string, JsonValue> = {
  tlsCertificateSdsSecretConfigs: [{ name: 'file-cert:/certs/chain.pem~/certs/key.pem' }],
  combinedValidationContext: {
    defaultValidationContext: {},
    validationContextSdsSecretConfig: { name: 'file-root:/certs/root.pem' },
  },
};

function chainWith(context: Record<string, JsonValue>) {
  return chainOver('tls.v3.DownstreamTlsContext', context);
}

function chainOver(socket: string, context: Record<string, JsonValue> = {}) {
  const typedConfig = {
    '@type': `type.googleapis.com/envoy.extensions.transport_sockets.${socket}`,
    ...context,
  };
  const json = { transportSocket: { name: 'tls', typedConfig } };
  return fromJson(FilterChainSchema, json, { registry: KNOWN_TYPES });
}

function mutual(common: Record<string, JsonValue> = {}) {
  return chainWith({ requireClientCertificate: true, commonTlsContext: { ...COMMON, ...common } });
}

describe('TLS of a listener', () => {
  test('is none where its chains have none', () => {
    expect(compileDownstreamTls([fromJson(FilterChainSchema, {})])).toBeNull();
    expect(compileDownstreamTls([chainOver('raw_buffer.v3.RawBuffer')])).toBeNull();
  });

  test('has its certificate and its roots in files', () => {
    expect(compileDownstreamTls([mutual()])).toEqual({
      chainPath: '/certs/chain.pem',
      keyPath: '/certs/key.pem',
      rootsPath: '/certs/root.pem',
    });
  });

  test.for([
    ['lets clients in without a certificate', [chainWith({ commonTlsContext: COMMON })]],
    ['has no certificate', [mutual({ tlsCertificateSdsSecretConfigs: [] })]],
    [
      'has a certificate that is no file',
      [mutual({ tlsCertificateSdsSecretConfigs: [{ name: 'default' }] })],
    ],
    ['has no roots', [mutual({ combinedValidationContext: null })]],
    ['is another for another chain', [mutual(), fromJson(FilterChainSchema, {})]],
    ['is for endpoints', [chainOver('tls.v3.UpstreamTlsContext')]],
    ['leads into a tunnel', [chainOver('internal_upstream.v3.InternalUpstreamTransport')]],
  ] as const)('is refused where it %s', ([, chains]) => {
    expect(() => compileDownstreamTls(chains)).toThrow(/filter_chains\[\d\]\.transport_socket/);
  });
});
