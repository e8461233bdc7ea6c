import { FilterChainSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { TYPES } from '../../../../test/fixtures/waypoint-config.ts';
import { compileDownstreamTls } from './downstream-tls.ts';

const COMMON: Record<string, JsonValue> = {
  tlsCertificateSdsSecretConfigs: [{ name: 'file-cert:/certs/chain.pem~/certs/key.pem' }],
  combinedValidationContext: {
    defaultValidationContext: {},
    validationContextSdsSecretConfig: { name: 'file-root:/certs/root.pem' },
  },
};

function chainWith(context: Record<string, JsonValue>) {
  const typedConfig = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    ...context,
  };
  const json = { transportSocket: { name: 'tls', typedConfig } };
  return fromJson(FilterChainSchema, json, { registry: TYPES });
}

function mutual(common: Record<string, JsonValue> = {}) {
  return chainWith({ requireClientCertificate: true, commonTlsContext: { ...COMMON, ...common } });
}

describe('TLS of a listener', () => {
  test('is none where its chains have none', () => {
    expect(compileDownstreamTls([fromJson(FilterChainSchema, {})])).toBeNull();
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
  ] as const)('is refused where it %s', ([, chains]) => {
    expect(() => compileDownstreamTls(chains)).toThrow(/filter_chains\[\d\]\.transport_socket/);
  });
});
