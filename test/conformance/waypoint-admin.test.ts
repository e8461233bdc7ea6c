import { expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import {
  gatewayObject,
  type RunningWaypoint,
  serverPod,
  serviceObject,
  startWaypointProcess,
  untilReady,
  WAYPOINT_POD,
} from '../fixtures/waypoint-process.ts';

/** What istioctl and people read on a waypoint's port 15000: the pages of Envoy. */

const CLUSTER = 'inbound-vip|80|http|cart.shop.svc.cluster.local';

interface Dump {
  readonly configs: readonly Readonly<Record<string, unknown>>[];
}

async function start(ip: string): Promise<RunningWaypoint> {
  const waypoint = await startWaypointProcess([
    gatewayObject('service'),
    WAYPOINT_POD,
    serverPod(ip),
    serviceObject([{ name: 'http', port: 80, targetPort: 8080 }]),
  ]);
  await untilReady(waypoint);
  return waypoint;
}

test('the dump has clusters, listeners, routes, secrets without keys, and endpoints if asked', async () => {
  const waypoint = await start('127.0.0.81');
  const dump = async (query = ''): Promise<string> =>
    (await waypoint.get('admin', `/config_dump${query}`)).body;
  const { configs } = JSON.parse(await dump()) as Dump;
  const types = configs.map((config) => String(config['@type']).split('.').at(-1));
  expect(types).toEqual([
    'BootstrapConfigDump',
    'ClustersConfigDump',
    'ListenersConfigDump',
    'RoutesConfigDump',
    'SecretsConfigDump',
  ]);
  expect(configs[0]).toMatchObject({ bootstrap: { node: { metadata: { NAMESPACE: 'shop' } } } });
  const all = await dump('?include_eds');
  for (const part of ['EndpointsConfigDump', `"cluster_name": "${CLUSTER}"`, '"127.0.0.81"']) {
    expect(all).toContain(part);
  }
  expect(all).toContain('"name": "main_internal"');
  expect(all).toContain('"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"');
  expect(all).not.toContain('PRIVATE KEY');
  const one = JSON.parse(await dump('?resource=dynamic_listeners')) as Dump;
  expect(one.configs.map((config) => Object.keys(config))).toEqual([
    ['@type', 'dynamic_listeners'],
  ]);
}, 60_000);

test('clusters, listeners, state and counters are told in words and as JSON', async () => {
  const waypoint = await start('127.0.0.82');
  const page = async (path: string): Promise<string> => (await waypoint.get('admin', path)).body;
  await eventually(async () => (await page('/ready')) === 'LIVE\n');
  const clusters = await page('/clusters');
  expect(clusters).toContain(`${CLUSTER}::127.0.0.82:8080::health_flags::healthy`);
  const statuses = JSON.parse(await page('/clusters?format=json')) as object;
  expect(statuses).toMatchObject({
    cluster_statuses: expect.arrayContaining([
      expect.objectContaining({
        name: CLUSTER,
        host_statuses: [
          expect.objectContaining({ health_status: { eds_health_status: 'HEALTHY' } }),
        ],
      }),
    ]),
  });
  expect(await page('/listeners')).toContain('main_internal::envoy://main_internal/');
  expect(await page('/stats')).toContain(`cluster.${CLUSTER}.membership_healthy: 1`);
  expect(await page('/stats?filter=server.live&format=json')).toContain('"server.live"');
  expect(await page('/stats?format=prometheus')).toContain('# TYPE');
  expect(JSON.parse(await page('/server_info'))).toMatchObject({ state: 'LIVE' });
}, 60_000);

test('log levels are read and changed by POST only, and nonsense is refused', async () => {
  const waypoint = await start('127.0.0.83');
  const post = (path: string) => waypoint.get('admin', path, 'POST');
  expect((await waypoint.get('admin', '/logging')).status).toBe(405);
  expect((await post('/logging')).body).toBe('active loggers:\n  all: info\n');
  expect((await post('/logging?level=loud')).status).toBe(400);
  expect((await post('/logging?level=debug')).body).toContain('all: debug');
  expect((await post('/logging?paths=xds:debug,waypoint:error')).body).toContain('  xds: debug');
}, 60_000);
