import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { makeImage, writeImageArchive } from '../fixtures/image-archive.ts';
import { ImageRegistry } from '../fixtures/image-registry.ts';
import { SandboxProcess, sandboxCommand, sandboxObstacle } from '../fixtures/sandbox.ts';

const obstacle = sandboxObstacle();

const pod = (name: string, image: string, more = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { terminationGracePeriodSeconds: 0, containers: [{ name: app, image: '${image}'${more} }] }`;

describe.skipIf(obstacle !== null)(`images of the user${obstacle ? `: ${obstacle}` : ''}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'images-test-'));
  const program = join(directory, 'cart');
  const archive = join(directory, 'stock.tar');
  const image = makeImage();
  let sandbox: SandboxProcess;
  let registry: ImageRegistry;
  const inside = (name: string, script: string): string =>
    sandbox.kubectl(['exec', name, '--', 'sh', '-c', script]);

  beforeAll(async () => {
    writeFileSync(program, '#!/bin/sh\necho "cart $@"; exec sleep 1000\n', { mode: 0o755 });
    writeImageArchive(image, 'example.com/shop/stock:v1', archive);
    registry = await ImageRegistry.start(image, 'shop/pulled');
    sandbox = await SandboxProcess.start({
      env: { SANDBOX_IMAGES: `shop/cart=${program} of the shop`, SANDBOX_NODES: '1' },
    });
  });
  afterAll(async () => {
    await sandbox?.stop();
    registry?.stop();
    rmSync(directory, { recursive: true });
  });

  test('a name that the user gave to a program of the machine runs it', () => {
    sandbox.kubectl(['apply', '-f', '-'], pod('cart', 'registry.example.com/shop/cart:v7'));
    sandbox.kubectl(['wait', '--for=condition=Ready', 'pod/cart', '--timeout=30s']);
    expect(sandbox.kubectl(['logs', 'cart'])).toBe('cart of the shop\n');
  });

  test('a pod that waits for its image starts once that was loaded from an archive', async () => {
    sandbox.kubectl(['apply', '-f', '-'], pod('stock', 'example.com/shop/stock:v1'));
    const waiting = ['get', 'pod', 'stock', '-o', 'jsonpath={..waiting.message}'];
    await eventually(() => sandbox.kubectl(waiting).includes('aquifer sandbox images load'), {
      timeoutMs: 20_000,
    });
    const loaded = sandboxCommand(sandbox.dataDirectory, 'images', 'load', archive);
    expect(JSON.parse(loaded)).toMatchObject({ name: 'example.com/shop/stock:v1', layers: 2 });
    expect(sandboxCommand(sandbox.dataDirectory, 'images', 'list')).toContain('shop/stock:v1');
    sandbox.kubectl(['wait', '--for=condition=Ready', 'pod/stock', '--timeout=30s']);
  });

  test('it has the entrypoint, arguments, user, variables and directory that the image says', () => {
    expect(sandbox.kubectl(['logs', 'stock'])).toBe('started $(HOME) by default\n');
    expect(inside('stock', 'id -u; id -g; id -G; echo $HOME $COLOR; pwd')).toBe(
      '1500\n1600\n1600 1700\n/home/shop blue\n/app\n',
    );
  });

  test('its files are those of the layers, less what the upper ones removed, and none of the machine', () => {
    expect(inside('stock', 'ls /app /app/hidden')).toBe(
      '/app:\nhidden\nstart\n\n/app/hidden:\nseen\n',
    );
    expect(inside('stock', 'ls /')).not.toMatch(/home|usr|root/);
    expect(inside('stock', 'cat /var/run/secrets/kubernetes.io/serviceaccount/namespace')).toBe(
      'default',
    );
    expect(inside('stock', 'cat /etc/hosts')).toContain('stock');
  });

  test('an image is pulled from a registry, and what the pod says goes before what the image says', async () => {
    const name = `${registry.host}/shop/pulled:v1`;
    const more = `, args: [as, asked], workingDir: /app/hidden, securityContext: { runAsUser: 7 }`;
    sandbox.kubectl(['apply', '-f', '-'], pod('pulled', name, more));
    // The registry is in this process, which must not wait idly.
    await sandbox.kubectlAsync(['wait', '--for=condition=Ready', 'pod/pulled', '--timeout=30s']);
    expect(sandbox.kubectl(['logs', 'pulled'])).toBe('started $(HOME) as asked\n');
    expect(inside('pulled', 'id -u; pwd')).toBe('7\n/app/hidden\n');
    // Its layers are those of the archive, and need not be fetched.
    expect(registry.served.filter((path) => path.includes('/blobs/'))).toHaveLength(1);
  });

  test('an image that needs a login is pulled with the Secret of the pod or of its service account', async () => {
    await using closed = await ImageRegistry.start(image, 'shop/secret', 'cart:open sesame');
    const name = `${closed.host}/shop/secret:v1`;
    const login = [`--docker-server=${closed.host}`, '--docker-username=cart'];
    const secret = ['create', 'secret', 'docker-registry'];
    sandbox.kubectl([...secret, 'wrong', ...login, '--docker-password=nobody']);
    sandbox.kubectl([...secret, 'right', ...login, '--docker-password=open sesame']);
    sandbox.kubectl(['apply', '-f', '-'], pod('nobody', name));
    const message = ['get', 'pod', 'nobody', '-o', 'jsonpath={..waiting.message}'];
    await eventually(async () => (await sandbox.kubectlAsync(message)).includes('401'), {
      timeoutMs: 20_000,
    });
    const patch = JSON.stringify({ imagePullSecrets: [{ name: 'wrong' }, { name: 'right' }] });
    sandbox.kubectl(['patch', 'serviceaccount', 'default', '-p', patch]);
    sandbox.kubectl(['apply', '-f', '-'], pod('known', name));
    await sandbox.kubectlAsync(['wait', '--for=condition=Ready', 'pod/known', '--timeout=30s']);
    const own = ['get', 'pod', 'known', '-o', 'jsonpath={.spec.imagePullSecrets[*].name}'];
    expect(sandbox.kubectl(own)).toBe('wrong right');
  });

  test('images go with the sandbox', async () => {
    expect(existsSync(join(sandbox.dataDirectory, 'images'))).toBe(true);
    await sandbox.stop();
    expect(existsSync(join(sandbox.dataDirectory, 'images'))).toBe(false);
    expect(execFileSync('ip', ['netns'], { encoding: 'utf8' })).not.toContain('aqf-');
  });
});
