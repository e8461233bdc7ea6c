import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { shopServer } from './shop-service.ts';

async function start(name: string, asks: Record<string, string> = {}): Promise<string> {
  const server = shopServer({ name, version: 'v1', pod: `${name}-1`, asks });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('a service says who it is, and what those behind it said', async () => {
  const catalog = await start('catalog', { stock: await start('stock') });
  const response = await fetch(await start('front', { catalog }));
  expect(response.status).toBe(200);
  const stock = { service: 'stock', version: 'v1', pod: 'stock-1', asked: {} };
  expect(await response.json()).toMatchObject({
    service: 'front',
    asked: { catalog: { service: 'catalog', asked: { stock } } },
  });
});

test('a service that cannot be reached is named all the way up', async () => {
  const catalog = await start('catalog', { stock: 'http://127.0.0.1:1/' });
  const response = await fetch(await start('front', { catalog }));
  expect(response.status).toBe(502);
  expect(JSON.stringify(await response.json())).toMatch(
    /front.*catalog.*502.*stock.*(ECONNREFUSED|bad port)/,
  );
});
