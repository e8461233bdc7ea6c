import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { openCluster } from './cluster.ts';
import { awaitAnswer } from './cluster-answer.ts';
import { createContext } from './context.ts';
import { Progress } from './output/progress.ts';
import { runCommandLine } from './program.ts';

/** The kubeconfig of something that answers as it likes. */
async function kubeconfigOf(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'cluster-answer-'));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const file = join(folder, 'config');
  const config = {
    clusters: [{ name: 'odd', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'odd', user: { token: 'x' } }],
    contexts: [{ name: 'odd', context: { cluster: 'odd', user: 'odd' } }],
    'current-context': 'odd',
  };
  writeFileSync(file, stringify(config));
  return file;
}

async function run(kubeconfig: string, ...line: string[]): Promise<string> {
  let said = '';
  const stream = { write: (text: string) => (said += text), isTTY: false };
  const env = { HOME: '/nowhere', KUBECONFIG: kubeconfig };
  const context = createContext(env, { stdout: stream, stderr: stream as never });
  await runCommandLine(line, context, stream.write);
  return said;
}

test.for(['{{nope', 'null', '{}', '[]', '<html>Welcome</html>'])(
  'what answers %s is no cluster, and is named',
  async (text) => {
    const kubeconfig = await kubeconfigOf((_, answer) =>
      answer.writeHead(200, { 'content-type': 'application/json' }).end(text),
    );
    const said = await run(kubeconfig, 'waypoint', 'list');
    expect(said).toMatch(
      /^error: what answers at http:\/\/127\.0\.0\.1:\d+ is no Kubernetes API\n/,
    );
    expect(said).toContain('context odd');
  },
);

test('who waits long for a cluster is told which, and it is waited for', async () => {
  const kubeconfig = await kubeconfigOf((_, answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    setTimeout(() => answer.end('{"gitVersion": "v1.34.0"}'), 300);
  });
  let said = '';
  const progress = new Progress({ write: (text) => (said += text) });
  const cluster = openCluster({ kubeconfig, env: {}, sandboxKubeconfig: '' });
  await awaitAnswer(cluster, progress, 50);
  expect(said).toMatch(/^waiting for the cluster at http:\/\/127\.0\.0\.1:\d+ to answer/);
});

test('what a cluster says changes nothing of the terminal', async () => {
  const message = 'no \u001b]0;title\u0007\u001b[2Jway\r\u009b31m';
  const kubeconfig = await kubeconfigOf((_, answer) =>
    answer
      .writeHead(403, { 'content-type': 'application/json' })
      .end(JSON.stringify({ kind: 'Status', reason: 'Forbidden', message })),
  );
  expect(await run(kubeconfig, 'waypoint', 'list')).toBe(
    String.raw`error: from server (Forbidden): no \u001b]0;title\u0007\u001b[2Jway\u000d\u009b31m` +
      '\n',
  );
});
