import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { expect, onTestFinished, test } from 'vitest';
import { imageUser } from './image-config.ts';
import { verified } from './image-source.ts';
import { unpackLayer } from './layer.ts';
import { parseReference } from './reference.ts';
import { pullableImage } from './registry.ts';
import { ImageStore } from './store.ts';

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'hostile-image-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** A server on this machine; its address and port. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const pull = (host: string, login = 'Basic c2VjcmV0') =>
  pullableImage(parseReference(`${host}/shop/cart:7`), [login]);

/** A layer of files, or of links where the content is a path from `->`. */
async function layerOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) {
    const linkname = /^-> (.*)$/.exec(content)?.[1];
    if (linkname === undefined) archive.entry({ name }, content);
    else archive.entry({ name, type: 'symlink', linkname });
  }
  archive.finalize();
  return Buffer.concat(await Readable.from(archive as AsyncIterable<Buffer>).toArray());
}

test.for([
  ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
  ['a link to a device without end', (path: string) => symlinkSync('/dev/zero', path)],
  ['a link out of the image', (path: string) => symlinkSync('/etc/passwd', path)],
  ['larger than any list of users', (path: string) => writeFileSync(path, 'x:'.repeat(600_000))],
] as const)('users are not looked for in an /etc/passwd that is %s', ([, make]) => {
  const layer = directory();
  mkdirSync(join(layer, 'etc'));
  make(join(layer, 'etc/passwd'));
  expect(() => imageUser('daemon', [layer])).toThrow('the image has no user daemon');
});

test.for([
  ['whose bytes end early', (layer: Buffer) => gzipSync(layer).subarray(0, 1000)],
  ['that is no archive', () => Buffer.alloc(4096, 'x')],
  ['that breaks off within a file', (layer: Buffer) => layer.subarray(0, 1024 * 1024)],
] as const)('a layer %s is refused', async ([, damaged]) => {
  const noise = createHash('shake256', { outputLength: 2 * 1024 * 1024 }).digest('latin1');
  const layer = damaged(await layerOf({ file: noise }));
  await expect(unpackLayer(Readable.from([layer]), directory())).rejects.toThrow(
    /end|header|Invalid/i,
  );
  // Its tar(1) is gone too.
  await expect.poll(() => process.getActiveResourcesInfo()).not.toContain('ProcessWrap');
});

test('files of a layer stay in its directory', async () => {
  const above = directory();
  const inner = join(above, 'layer');
  mkdirSync(inner);
  const layer = await layerOf({ out: '-> ..', 'out/escaped': 'x', '../escaped': 'y' });
  await unpackLayer(Readable.from([layer]), inner).catch(() => undefined);
  expect(readdirSync(above)).toEqual(['layer']);
});

test('only digests that nobody can forge say what the bytes are', () => {
  const bytes = Buffer.from('x');
  const md5 = createHash('md5').update(bytes).digest('hex');
  expect(() => verified(bytes, `md5:${md5}`)).toThrow('is no digest of sha256 or sha512');
  expect(() => verified(bytes, `sha256:${'0'.repeat(64)}`)).toThrow('has the content of');
});

test('an image whose configuration names no layers is refused in words', async () => {
  const store = new ImageStore(directory());
  for (const config of ['null', '{}', '{"rootfs":{"diff_ids":"x"}}']) {
    const image = { names: ['a/b:c'], config: Buffer.from(config), layers: [] };
    await expect(store.add(image)).rejects.toThrow('its configuration names no layers');
  }
});

test('a manifest without end is not read to its end', async () => {
  const host = await serve((_request, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(256 * 1024, '[')));
    };
    response.on('drain', more);
    more();
  });
  await expect(pull(host)).rejects.toThrow('more than 4194304 bytes');
});

test('a login is shown to the registry that asks, and not where it sends its clients', async () => {
  const seen: (string | undefined)[] = [];
  const other = await serve((request, response) => {
    seen.push(request.headers.authorization);
    response.end('{}');
  });
  const host = await serve((request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="shop"' }).end();
    } else response.writeHead(307, { location: `http://${other}/elsewhere` }).end();
  });
  await expect(pull(host)).rejects.toThrow('what the registry has is no image');
  expect(seen).toEqual([undefined]);
});

test.for(['ftp://127.0.0.1/', 'file:///etc/passwd', 'token'])(
  'a registry that names %s as its server of tokens is refused',
  async (realm) => {
    const host = await serve((_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    });
    await expect(pull(host)).rejects.toThrow('as its server of tokens');
  },
);
