import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { patternStream } from '../../packages/sandbox/src/images/echo/pattern.ts';
import { eventually } from '../fixtures/eventually.ts';
import { FEWEST_REQUESTS } from './bounds.ts';
import { HeldConnection } from './held-connection.ts';
import type { Kubectl } from './kubectl.ts';
import { SHOP } from './manifests.ts';
import type { PodTarget } from './pod-program.ts';
import { type LoadResult, RequestLoad } from './request-load.ts';

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

interface ConditionedObject {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions: readonly { type: string; status: string }[] };
}

const TRANSFER_BYTES = 100_000_000;

/** Writes the bytes whose value at offset n is n modulo 251, as the echo server's `size` does. */
const PATTERN = `
import sys
block = bytes(range(251)) * 1000
left = ${TRANSFER_BYTES}
while left > 0:
    sys.stdout.buffer.write(block[:left])
    left -= len(block)
`;

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

async function transferDigest(): Promise<string> {
  const bytes = await buffer(patternStream(TRANSFER_BYTES));
  return createHash('sha256').update(bytes).digest('hex');
}

function namespaceOf(client: string): string {
  return client === 'outsider' ? 'outside' : 'shop';
}

function podOf(client: string): PodTarget {
  return { namespace: namespaceOf(client), target: `deploy/${client}` };
}

/** The workloads of the story and the questions it asks of them. */
export class Shop {
  readonly kubectl: Kubectl;

  constructor(kubectl: Kubectl) {
    this.kubectl = kubectl;
  }

  async deploy(): Promise<void> {
    await this.kubectl.apply(SHOP);
    await this.untilDeployed();
  }

  /** Waits until its workloads are ready. */
  async untilDeployed(): Promise<void> {
    for (const name of ['server-v1', 'client', 'other']) {
      await this.rolledOut('shop', `deploy/${name}`);
    }
    await this.rolledOut('outside', 'deploy/outsider');
  }

  async rolledOut(namespace: string, workload: string): Promise<void> {
    await this.kubectl.run('rollout', 'status', '-n', namespace, workload, '--timeout=60s');
  }

  /** Waits until no more than so many pods with the label are left. */
  async untilLeft(namespace: string, label: string, pods: number): Promise<void> {
    const left = ['get', 'pods', '-n', namespace, '-l', label, '-o', 'name'];
    await eventually(
      async () => (await this.kubectl.run(...left)).trim().split('\n').length === pods,
      { timeoutMs: 60_000, what: `the end of the old pods of ${label}` },
    );
  }

  /** Objects that have a condition Ready, and whether it is true. */
  async ready(
    kind: string,
    ...args: readonly string[]
  ): Promise<{ readonly name: string; readonly isReady: boolean }[]> {
    const { items } = await this.kubectl.json<{ items: ConditionedObject[] }>('get', kind, ...args);
    return items.map(({ metadata, status }) => ({
      name: metadata.name,
      isReady: status.conditions.some((one) => one.type === 'Ready' && one.status === 'True'),
    }));
  }

  /** The one pod with the label `app`, or with another label when the name holds a `=`. */
  async pod(app: string, namespace = 'shop'): Promise<PodInfo> {
    const [pod] = await this.#pods(app.includes('=') ? app : `app=${app}`, namespace);
    if (pod === undefined) throw new Error(`no pod of ${app} in ${namespace}`);
    return pod;
  }

  async #pods(selector: string, namespace: string): Promise<PodInfo[]> {
    const args = ['get', 'pods', '-n', namespace, '-l', selector];
    const { items } = await this.kubectl.json<{ items: PodObject[] }>(...args);
    return items.map(({ metadata, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      ip: status.podIP ?? '',
      restarts: status.containerStatuses?.[0]?.restartCount ?? 0,
      redirection: metadata.annotations?.['ambient.istio.io/redirection'] ?? null,
    }));
  }

  /** HTTP status of a request to the server; `000` if the connection failed. */
  async status(from: string, path = '/', curlArgs: readonly string[] = []): Promise<string> {
    const namespace = namespaceOf(from);
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

  /** Body of the answer. Throws with what curl said if there is none. */
  async body(from: string, path = '/', curlArgs: readonly string[] = []): Promise<string> {
    const command = ['curl', '-sS', '--max-time', '5', ...curlArgs, `http://server.shop${path}`];
    const { stdout, stderr } = await this.kubectl.exec(
      namespaceOf(from),
      `deploy/${from}`,
      command,
    );
    if (stdout === '') throw new Error(`request from ${from} failed: ${stderr}`);
    return stdout;
  }

  async echo(from: string, path = '/', curlArgs: readonly string[] = []): Promise<Echo> {
    return JSON.parse(await this.body(from, path, curlArgs)) as Echo;
  }

  /** Waits until the pods are captured, or released. */
  async untilRedirection(expected: 'enabled' | null, apps: readonly string[]): Promise<void> {
    await eventually(
      async () => {
        const pods = await this.#pods(`app in (${apps.join(', ')})`, 'shop');
        return (
          pods.length >= apps.length && pods.every(({ redirection }) => redirection === expected)
        );
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
  async upload(): Promise<boolean> {
    const curl = `curl -sS --max-time 60 -H 'Expect:' -T - http://server.shop/upload`;
    const command = ['sh', '-c', `python3 -c '${PATTERN}' | ${curl}`];
    const { stdout, stderr } = await this.kubectl.exec('shop', 'deploy/client', command, 90_000);
    if (stdout === '') throw new Error(`the upload failed: ${stderr}`);
    const answer = JSON.parse(stdout) as { bodyBytes: number; sha256: string };
    return answer.bodyBytes === TRANSFER_BYTES && answer.sha256 === (await transferDigest());
  }

  /** A connection from a pod to the server that talks until it is finished or cut. */
  hold(from: string): Promise<HeldConnection> {
    return HeldConnection.open(this.kubectl, podOf(from));
  }

  /** Opens a new connection for each request while the action runs, and until there were a thousand. */
  async requestsWhile(from: string, action: () => Promise<void>): Promise<LoadResult> {
    using load = await RequestLoad.begin(this.kubectl, podOf(from), FEWEST_REQUESTS);
    await action();
    return await load.finish();
  }

  /** So many requests on one kept-alive connection; how many each version answered. */
  async versionsOf(
    requests: number,
    curlArgs: readonly string[] = [],
  ): Promise<Map<string, number>> {
    const command = ['curl', '-sS', '--max-time', '30', ...curlArgs];
    const { stdout, stderr } = await this.kubectl.exec('shop', 'deploy/client', [
      ...command,
      `http://server.shop/?n=[1-${requests}]`,
    ]);
    const counts = new Map<string, number>();
    for (const [, version = ''] of stdout.matchAll(/"version":"([^"]*)"/g)) {
      counts.set(version, (counts.get(version) ?? 0) + 1);
    }
    if (counts.size === 0) throw new Error(`no answers: ${stdout}${stderr}`);
    return counts;
  }

  /** Downloads 100 MB; true if every byte arrived as the server made it. */
  async download(): Promise<boolean> {
    const download = `curl -sS --max-time 60 'http://server.shop/?size=${TRANSFER_BYTES}' | sha256sum`;
    const command = ['sh', '-c', download];
    const { stdout } = await this.kubectl.exec('shop', 'deploy/client', command, 90_000);
    return stdout.startsWith(await transferDigest());
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
