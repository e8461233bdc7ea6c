import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { denying } from '../../../../test/fixtures/static-proxy.ts';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';

const FAULT = {
  name: 'envoy.filters.http.fault',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    delay: { fixed_delay: '0.3s', percentage: { numerator: 100 } },
  },
};

test('an upgrade that is denied while it is delayed reaches no host', async () => {
  let reached = 0;
  const origin = createServer((socket) => {
    reached += 1;
    socket.on('error', () => undefined).resume();
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const clusters = { origin: (origin.address() as AddressInfo).port };
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0s' } }];
  const upgrades = { upgrade_configs: [{ upgrade_type: 'websocket' }] };
  const engine = new Engine();
  await engine.listen();
  const [rbac, router] = denying({ any: true });
  engine.configure(clusters, { routes, manager: { ...upgrades, http_filters: [FAULT, router] } });
  const socket = connect(engine.port, '127.0.0.1').on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await delay(100);
  const filters = [rbac, FAULT, router];
  engine.configure(clusters, { routes, manager: { ...upgrades, http_filters: filters } });
  // It is reset, which `once` would reject for.
  await new Promise((resolve) => socket.resume().on('close', resolve));
  await delay(400);
  expect(reached).toBe(0);
  expect(engine.deps.config.clusters.statuses()[0]!.hosts[0]!.active).toBe(0);
  engine.close();
  origin.close();
});
