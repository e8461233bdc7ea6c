import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSelfSignedRoot } from './authority.ts';
import { readMaterial } from './authority-store.ts';

const ROOT = createSelfSignedRoot('cluster.local');
const FILES = {
  ...ROOT,
  'root-cert.pem': ROOT['ca-cert.pem'],
  'cert-chain.pem': ROOT['ca-cert.pem'],
};

/** A directory with these files, and an API that has the Secret `cacerts` of another root. */
function source(files: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'aquifer-cacerts-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const other = createSelfSignedRoot('cluster.local');
  const texts = { 'tls.crt': other['ca-cert.pem'], 'tls.key': other['ca-key.pem'] };
  const data = Object.fromEntries(
    Object.entries({ ...texts, 'ca.crt': other['ca-cert.pem'] }).map(([key, text]) => [
      key,
      Buffer.from(text).toString('base64'),
    ]),
  );
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'cacerts' }, data };
  const answer = <T>(path: string): T | null => (path.endsWith('/cacerts') ? (secret as T) : null);
  const api = {
    get: async <T>(path: string) => answer<T>(path),
    create: () => Promise.reject(new Error('nothing is made')),
  };
  return { api, namespace: 'istio-system', directory };
}

test('files that are mounted win over the Secret', async () => {
  const from = source(FILES);
  const origin = `directory ${from.directory}`;
  expect(await readMaterial(from)).toEqual({
    ok: true,
    value: { origin, pem: FILES, renewable: null },
  });
});

test('of files that are not complete those that lack are named', async () => {
  const from = source({ 'ca-cert.pem': ROOT['ca-cert.pem'], 'root-cert.pem': 'x' });
  const error = `directory ${from.directory} lacks ca-key.pem, cert-chain.pem`;
  expect(await readMaterial(from)).toEqual({ ok: false, error });
});

test('without files the Secret is read', async () => {
  const read = await readMaterial(source({}));
  expect(read).toMatchObject({ ok: true, value: { origin: 'Secret cacerts' } });
});
