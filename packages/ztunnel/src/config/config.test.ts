import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type EnvSource, parseEnv } from '@aquifer/runtime';
import { expect, onTestFinished, test } from 'vitest';
import {
  authorityOf,
  clusterIdOf,
  contradictions,
  dataPlaneConfigOf,
  describeNode,
  discoveryOf,
  drainDeadlineMs,
} from './derived.ts';
import { parseCpuQuantity, parseServerAddress, parseThreadWish } from './forms.ts';
import { ZTUNNEL_CONFIG, type ZtunnelConfig } from './keys.ts';
import { withProxyConfig } from './proxy-config.ts';
import { unreadVariables } from './unread-variables.ts';
import { workerThreads } from './worker-threads.ts';

const LOG = createLogger('xds', { format: 'plain', levels: 'off' });

async function configOf(env: EnvSource, meshFile = ''): Promise<ZtunnelConfig> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'mesh');
  if (meshFile !== '') writeFileSync(path, meshFile);
  const completed = await withProxyConfig({ NODE_NAME: 'n1', ...env }, path);
  if (!completed.ok) throw new Error(completed.error[0]!.message);
  const parsed = parseEnv(ZTUNNEL_CONFIG, completed.value);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}

const MESH = `
defaultConfig:
  discoveryAddress: istiod-a.istio-system:15012
  statsPort: 15888
  proxyAdminPort: 15099
  proxyMetadata:
    ISTIO_META_FOO: foo
    FOOBAR: one
`;

test('the mesh file sets ports and metadata (C001)', async () => {
  const config = await configOf({}, MESH);
  expect(config).toMatchObject({ statsPort: 15_888, adminPort: 15_099, clusterId: 'Kubernetes' });
  expect(config.metadata.FOO).toBe('foo');
});

test('PROXY_CONFIG says where discovery is (C002)', async () => {
  const config = await configOf({
    PROXY_CONFIG: '{"discoveryAddress": "istiod-rev0.istio-system-2:15012"}',
  });
  expect(discoveryOf(config)?.address).toBe('istiod-rev0.istio-system-2:15012');
  expect(authorityOf(config).address).toBe('istiod-rev0.istio-system-2:15012');
});

test('ISTIO_META_CLUSTER_ID is the cluster (C003)', async () => {
  const config = await configOf({ CLUSTER_ID: 'other', ISTIO_META_CLUSTER_ID: 'test-cluster' });
  expect(clusterIdOf(config)).toBe('test-cluster');
  expect(describeNode(config, LOG).metadata.CLUSTER_ID).toBe('test-cluster');
});

test('variables become metadata by their prefix, and those of PROXY_CONFIG with or without it (C004)', async () => {
  const { metadata } = await configOf({
    ISTIO_META_INCLUDE_THIS: 'foobar-env',
    NOT_INCLUDE: 'not-include',
    PROXY_CONFIG: 'proxyMetadata:\n  NO_PREFIX: foobar-config\n',
  });
  expect(metadata).toEqual({ INCLUDE_THIS: 'foobar-env', NO_PREFIX: 'foobar-config' });
});

test('PROXY_CONFIG wins over the file field by field, and the environment over both (C005)', async () => {
  const overlay = 'proxyAdminPort: 15999\nproxyMetadata:\n  ISTIO_META_FOOBAR: two\n';
  const config = await configOf({ PROXY_CONFIG: overlay }, MESH);
  expect(config).toMatchObject({ statsPort: 15_888, adminPort: 15_999 });
  expect(config.metadata).toEqual({ FOO: 'foo', FOOBAR: 'two' });
  expect((await configOf({ STATS_PORT: '1' }, MESH)).statsPort).toBe(1);
});

test('headers for the control plane and for the authority are told apart (C006)', async () => {
  const config = await configOf({ XDS_HEADER_HEADER_FOO: 'foo', CA_HEADER_HEADER_BAZ: 'baz' });
  expect(discoveryOf(config)?.headers).toEqual({ HEADER_FOO: 'foo' });
  expect(authorityOf(config).headers).toEqual({ HEADER_BAZ: 'baz' });
});

const NOTHING = { wish: null, cpuLimit: null, cpuRequest: null, cpuCount: null };

test.for([
  ['C007', { wish: '4' }, 8, 4],
  ['C007', { wish: '50%' }, 8, 4],
  ['C007', { wish: '30%' }, 16, 5],
  ['C007', { wish: '10%' }, 4, 1],
  ['C007', { wish: '0', cpuCount: 6 }, 8, 6],
  ['C008', { limit: '16' }, 64, 16],
  ['C008', { limit: '1' }, 64, 1],
  ['C008', { limit: '500m' }, 64, 1],
  ['C008', { limit: '2500m' }, 64, 3],
  ['C008', { limit: '1.5' }, 64, 2],
  ['C009', { cpuCount: 32 }, 64, 8],
  ['C009', { request: '8' }, 4, 8],
  ['C009', { limit: '4', request: '8' }, 64, 8],
  ['a machine of two', {}, 2, 2],
] as const)('%s: %o of %i CPUs are %i threads', ([, sources, cpus, threads]) => {
  const given: { wish?: string; limit?: string; request?: string; cpuCount?: number } = sources;
  const quantity = (text?: string) => (text === undefined ? null : parseCpuQuantity(text));
  expect(
    workerThreads(
      {
        ...NOTHING,
        wish: given.wish === undefined ? null : parseThreadWish(given.wish),
        cpuLimit: quantity(given.limit),
        cpuRequest: quantity(given.request),
        cpuCount: given.cpuCount ?? null,
      },
      cpus,
    ),
  ).toBe(threads);
});

test('concurrency 0 means all CPUs (C010)', async () => {
  const { threadWish } = await configOf({ PROXY_CONFIG: '{"concurrency": 0}' });
  expect(workerThreads({ ...NOTHING, wish: threadWish, cpuCount: 6 }, 64)).toBe(6);
});

test.for([
  [parseThreadWish, '101%'],
  [parseThreadWish, '-1'],
  [parseThreadWish, '2.5'],
  [parseCpuQuantity, '0'],
  [parseCpuQuantity, 'Infinity'],
  [parseServerAddress, 'istiod'],
  [parseServerAddress, 'ftp://istiod:1'],
  [parseServerAddress, 'istiod:99999'],
] as const)('%o refuses %s', ([parse, text]) => {
  expect(() => parse(text)).toThrow(JSON.stringify(text));
});

test.for([
  ['https://istiod:15012', false],
  ['istiod:15012', false],
  ['http://istiod:15012', true],
] as const)('%s is plaintext: %s', ([text, isPlaintext]) => {
  expect(parseServerAddress(text)).toEqual({ address: 'istiod:15012', isPlaintext });
});

test.for([
  [{}, 5000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: '30' }, 25_000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: '10' }, 9000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: '0' }, 1000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: '30', CONNECTION_TERMINATION_DEADLINE: '2s' }, 2000],
] as const)('with %o connections have %i ms to end', async ([env, ms]) => {
  expect(drainDeadlineMs(await configOf(env))).toBe(ms);
});

test.for([
  [{ PROXY_MODE: 'dedicated' }, 'PROXY_WORKLOAD_INFO'],
  [{ NODE_NAME: '' }, 'NODE_NAME'],
  [{ LOCAL_XDS: 'a', LOCAL_XDS_PATH: 'b' }, 'LOCAL_XDS'],
  [{ XDS_ADDRESS: '' }, 'XDS_ADDRESS'],
  [{ XDS_ADDRESS: '', LOCAL_XDS: 'a' }, 'CA_ADDRESS'],
  [{ PACKET_MARK: '77' }, 'PACKET_MARK'],
  [{ INPOD_PORT_REUSE: 'false', ZTUNNEL_WORKER_THREADS: '2' }, 'INPOD_PORT_REUSE'],
] as const)('%o is refused at %s', async ([env, key]) => {
  expect(contradictions(await configOf(env)).map((problem) => problem.key)).toContain(key);
});

test('an address that cannot be read is refused by its name', () => {
  const parsed = parseEnv(ZTUNNEL_CONFIG, { NODE_NAME: 'n1', XDS_ADDRESS: 'not-an-address' });
  expect(parsed).toMatchObject({
    ok: false,
    error: [{ key: 'XDS_ADDRESS', message: expect.stringContaining('not-an-address') }],
  });
});

test.for([
  [{}, { keyExchange: 'any', allowsTls12: false }],
  [{ COMPLIANCE_POLICY: 'pqc' }, { keyExchange: 'pqc', allowsTls12: false }],
  [{ TLS12_ENABLED: 'true' }, { keyExchange: 'any', allowsTls12: true }],
] as const)('with %o tunnels have %o', async ([env, rules]) => {
  expect(dataPlaneConfigOf(await configOf(env)).tls).toEqual(rules);
});

test.for([
  [
    {},
    {
      mark: 0x539,
      keepAlive: { timeSeconds: 180, intervalSeconds: 180, retries: 9 },
      ...{ userTimeoutMs: null, reusesPorts: true, usesIpv6: true },
    },
  ],
  [
    {
      ...{ KEEPALIVE_TIME: '20s', KEEPALIVE_INTERVAL: '5s', KEEPALIVE_RETRIES: '3' },
      ...{ USER_TIMEOUT_ENABLED: 'true', PACKET_MARK: '5433', IPV6_ENABLED: 'false' },
    },
    {
      ...{ mark: 5433, keepAlive: { timeSeconds: 20, intervalSeconds: 5, retries: 3 } },
      ...{ userTimeoutMs: 35_000, usesIpv6: false },
    },
  ],
  [
    { KEEPALIVE_ENABLED: 'false', INPOD_PORT_REUSE: 'false' },
    { keepAlive: null, reusesPorts: false },
  ],
  [{ PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'a/b/c' }, { mark: null }],
] as const)('with %o sockets have %o (C188)', async ([env, sockets]) => {
  expect(dataPlaneConfigOf(await configOf(env)).sockets).toMatchObject(sockets);
});

test('windows and frames of tunnels are as large as they are said to be', async () => {
  const env = { HTTP2_STREAM_WINDOW_SIZE: '65536', HTTP2_CONNECTION_WINDOW_SIZE: '131072' };
  const { http2 } = dataPlaneConfigOf(await configOf({ ...env, HTTP2_FRAME_SIZE: '16384' }));
  expect(http2).toEqual({
    ...{ streamWindowBytes: 65_536, connectionWindowBytes: 131_072, maxFrameBytes: 16_384 },
  });
});

test.for([
  [{ COMPLIANCE_POLICY: 'fips' }, 'COMPLIANCE_POLICY'],
  [{ TLS12_ENABLED: '1' }, 'TLS12_ENABLED'],
  [{ KEEPALIVE_TIME: '10h' }, 'KEEPALIVE_TIME'],
  [{ KEEPALIVE_INTERVAL: '0s' }, 'KEEPALIVE_INTERVAL'],
  [{ PACKET_MARK: '0' }, 'PACKET_MARK'],
  [{ HTTP2_FRAME_SIZE: '100' }, 'HTTP2_FRAME_SIZE'],
  [{ HTTP2_CONNECTION_WINDOW_SIZE: '100' }, 'HTTP2_CONNECTION_WINDOW_SIZE'],
] as const)('%o stops the start', ([env, key]) => {
  const parsed = parseEnv(ZTUNNEL_CONFIG, env);
  expect(parsed).toMatchObject({ ok: false, error: [{ key }] });
});

test('a configuration that is no mapping is refused by its name', async () => {
  const completed = await withProxyConfig({ PROXY_CONFIG: '[1]' }, '/nowhere');
  expect(completed).toMatchObject({ ok: false, error: [{ key: 'PROXY_CONFIG' }] });
});

test('JSON metadata keeps its types, and what is no JSON is left out (C144)', async () => {
  const { metadata } = describeNode(
    await configOf({
      ISTIO_METAJSON_A: '{"b": [1, true, null]}',
      ISTIO_METAJSON_BAD: '{',
    }),
    LOG,
  );
  expect(metadata).toMatchObject({ A: { b: [1, true, null] } });
  expect(metadata).not.toHaveProperty('BAD');
});

test('variables of Istio’s that have no effect are named with what happens instead', () => {
  expect(unreadVariables({ FAKE_CA: 'true', ENABLE_PROXY: 'false', NODE_NAME: 'n' })).toEqual([
    expect.stringMatching(/^FAKE_CA: /),
  ]);
});
