import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { KubernetesApi } from './kubernetes-api.ts';

using authority = new TestAuthority();
const folder = mkdtempSync(join(tmpdir(), 'aquifer-kept-'));
const rootFile = join(folder, 'ca.crt');
writeFileSync(rootFile, authority.rootPem);
const { key, chain } = authority.issue('spiffe://test/api', { dnsName: 'localhost' });
const server = createServer({ key, cert: chain }, ({ url }, response) => {
  if (url?.includes('watch=true')) response.write('{"type":"ADDED","object":{}}\n');
  response.end('{}');
});
let connections = 0;
server.on('secureConnection', () => {
  connections += 1;
});
await new Promise<void>((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});

const { port } = server.address() as AddressInfo;
const api = KubernetesApi.fromKubeconfig(
  JSON.stringify({
    clusters: [
      {
        name: 'it',
        cluster: {
          server: `https://localhost:${port}`,
          'certificate-authority': rootFile,
        },
      },
    ],
    users: [{ name: 'me', user: { token: 'mine' } }],
    contexts: [{ name: 'it', context: { cluster: 'it', user: 'me' } }],
    'current-context': 'it',
  }),
);

afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

test('requests and watches that follow each other share connections', async () => {
  for (let request = 0; request < 5; request += 1) await api.list('/api/v1/pods');
  await api.within(() => 5000).get('/api/v1/pods/one');
  await api.watch('/api/v1/pods', {}, () => undefined, new AbortController().signal);
  await api.list('/api/v1/pods');
  // A request that is made while the answer before it is read to its end has a second one.
  expect(connections).toBeLessThanOrEqual(2);
});

test('another authority is believed from when its file has changed', async () => {
  using other = new TestAuthority();
  writeFileSync(rootFile, other.rootPem);
  await expect(api.list('/api/v1/pods')).rejects.toThrow('fetch failed');
  writeFileSync(rootFile, authority.rootPem);
  await expect(api.list('/api/v1/pods')).resolves.toEqual({});
});
