import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../fixtures/eventually.ts';
import type { Kubectl } from './kubectl.ts';
import { SHOP } from './manifests.ts';

/** What the echo server says about a request. */
export interface Echo {
  readonly pod: string;
  readonly version: string;
  readonly remoteAddress: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface PodInfo {
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly restarts: number;
  readonly redirection: string | null;
}

interface PodObject {
  readonly metadata: { name: string; uid: string; annotations?: Record<string, string> };
  readonly status: { podIP?: string; containerStatuses?: { restartCount: number }[] };
}

export const TRANSFER_BYTES = 100_000_000;
/** SHA-256 of so many `x`, which is what the transfer sends. */
const TRANSFER_SHA256 = createHash('sha256')
  .update(Buffer.alloc(TRANSFER_BYTES, 'x'))
  .digest('hex');

/** Half-closes after a line and prints what came back until the server's own end. */
const HALF_CLOSE = `
import socket
s = socket.create_connection(('server', 9090), 5)
s.sendall(b'half-closed')
s.shutdown(socket.SHUT_WR)
data = b''
while True:
    chunk = s.recv(4096)
    if not chunk: break
    data += chunk
print(data.decode())
`;

/** Holds a connection and prints for how many milliseconds after the word "go" on it the server kept it. */
const HOLD = `
import socket, sys, time
s = socket.create_connection(('server', 9090), 5)
s.sendall(b'held')
s.recv(16)
print('open', flush=True)
try:
    s.settimeout(60)
    s.recv(16)
except OSError as e:
    if isinstance(e, socket.timeout): print('still open'); sys.exit(1)
print(int(time.time() * 1000), flush=True)
`;

/** The workloads of the story and the questions it asks of them. */
export class Shop {
  readonly kubectl: Kubectl;

  constructor(kubectl: Kubectl) {
    this.kubectl = kubectl;
  }

  async deploy(): Promise<void> {
    await this.kubectl.apply(SHOP);
    for (const [namespace, name] of [
      ['shop', 'server-v1'],
      ['shop', 'client'],
      ['shop', 'other'],
      ['outside', 'outsider'],
    ] as const) {
      await this.kubectl.run(
        'rollout',
        'status',
        '-n',
        namespace,
        `deploy/${name}`,
        '--timeout=60s',
      );
    }
  }

  async pod(app: string, namespace = 'shop'): Promise<PodInfo> {
    const { items } = await this.kubectl.json<{ items: PodObject[] }>(
      'get',
      'pods',
      '-n',
      namespace,
      '-l',
      `app=${app}`,
    );
    const pod = items[0];
    if (pod === undefined) throw new Error(`no pod with app=${app} in ${namespace}`);
    return {
      name: pod.metadata.name,
      uid: pod.metadata.uid,
      ip: pod.status.podIP ?? '',
      restarts: pod.status.containerStatuses?.[0]?.restartCount ?? 0,
      redirection: pod.metadata.annotations?.['ambient.istio.io/redirection'] ?? null,
    };
  }

  /** HTTP status of a request to the server; `000` if the connection failed. */
  async status(from: string, path = '/', curlArgs: readonly string[] = []): Promise<string> {
    const namespace = from === 'outsider' ? 'outside' : 'shop';
    const command = [
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '--max-time',
      '5',
      ...curlArgs,
    ];
    const url = `http://server.shop${path}`;
    return (await this.kubectl.exec(namespace, `deploy/${from}`, [...command, url])).stdout;
  }

  async echo(from: string, path = '/', curlArgs: readonly string[] = []): Promise<Echo> {
    const namespace = from === 'outsider' ? 'outside' : 'shop';
    const command = ['curl', '-sS', '--max-time', '5', ...curlArgs, `http://server.shop${path}`];
    const { stdout, stderr } = await this.kubectl.exec(namespace, `deploy/${from}`, command);
    if (stdout === '') throw new Error(`request from ${from} failed: ${stderr}`);
    return JSON.parse(stdout) as Echo;
  }

  /** Waits until the pods are captured, or released. */
  async untilRedirection(expected: 'enabled' | null, apps: readonly string[]): Promise<void> {
    await eventually(
      async () => {
        const pods = await Promise.all(apps.map((app) => this.pod(app)));
        return pods.every(({ redirection }) => redirection === expected);
      },
      { timeoutMs: 30_000, intervalMs: 200, what: `capture of ${apps.join(', ')}` },
    );
  }

  async halfClose(): Promise<string> {
    const { stdout, stderr } = await this.kubectl.exec('shop', 'deploy/client', [
      'python3',
      '-c',
      HALF_CLOSE,
    ]);
    return stdout.trim() || stderr.trim();
  }

  /** Uploads 100 MB; true if every byte arrived as it was sent. */
  async transfer(): Promise<boolean> {
    const upload = `head -c ${TRANSFER_BYTES} /dev/zero | tr '\\0' x | curl -sS --max-time 60 -H 'Expect:' -T - http://server.shop/upload`;
    const { stdout, stderr } = await this.kubectl.exec(
      'shop',
      'deploy/client',
      ['sh', '-c', upload],
      90_000,
    );
    if (stdout === '') throw new Error(`transfer failed: ${stderr}`);
    const answer = JSON.parse(stdout) as { bodyBytes: number; sha256: string };
    return answer.bodyBytes === TRANSFER_BYTES && answer.sha256 === TRANSFER_SHA256;
  }

  /** Opens a connection from a pod, runs the action, and tells how long after it the connection was cut, in ms. */
  async cutAfter(from: string, action: () => Promise<void>): Promise<number> {
    const held = this.kubectl.start('shop', `deploy/${from}`, ['python3', '-u', '-c', HOLD]);
    await delay(1_500);
    await action();
    const startedMs = Date.now();
    const { stdout, stderr } = await held;
    const endedMs = Number(stdout.trim().split('\n')[1]);
    if (!Number.isFinite(endedMs))
      throw new Error(`the connection was not cut: ${stdout}${stderr}`);
    return endedMs - startedMs;
  }

  /** Lines of ztunnel's log on a node that contain all the given words. */
  async ztunnelLog(node: string, words: readonly string[]): Promise<string[]> {
    const { items } = await this.kubectl.json<{ items: { metadata: { name: string } }[] }>(
      'get',
      'pods',
      '-n',
      'istio-system',
      '-l',
      'app=ztunnel',
      '--field-selector',
      `spec.nodeName=${node}`,
    );
    const name = items[0]?.metadata.name ?? '';
    const log = await this.kubectl.run('logs', '-n', 'istio-system', name, '--tail=2000');
    return log.split('\n').filter((line) => words.every((word) => line.includes(word)));
  }
}
