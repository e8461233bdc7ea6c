import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { AuthorityProcess, ZtunnelProcess } from '../fixtures/ztunnel-process.ts';

/** A node proxy as a process, from its start to its end, with a pod whose connections pass through it. */
const AUTHORITY_ADDRESS = '10.77.0.1:15010';
const MESH = `
workloads:
- {uid: cluster1//v1/Pod/shop/client, name: client, namespace: shop, serviceAccount: client, trustDomain: cluster.local,
   workloadIps: ["10.77.0.2"], protocol: HBONE, services: {}}
`;
const REDIRECTION = `
table ip dedicated {
  chain output {
    type nat hook output priority -100;
    ip daddr 10.77.0.1 tcp dport 15010 accept
    oifname != "lo" meta l4proto tcp meta mark & 0xfff != 0x539 redirect to :15001
  }
}`;

const ECHO = `
require('node:net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(8080, () => console.log('up'));
`;

/** Says each line of its standard input to the echo and prints the answer; ends with either. */
const TALK = `
const socket = require('node:net').connect(8080, '10.77.0.1');
process.stdin.pipe(socket).pipe(process.stdout);
socket.on('error', () => {}).on('close', () => process.exit(7));
`;

let pods: PodNamespaces;
let client: PodNamespace;
let node: PodNamespace;
let authority: AuthorityProcess;
const proxies: ZtunnelProcess[] = [];

function startProxy(env: Readonly<Record<string, string>> = {}, pod = client): ZtunnelProcess {
  const proxy = new ZtunnelProcess(pods, pod, {
    PROXY_MODE: 'dedicated',
    PACKET_MARK: '1337',
    PROXY_WORKLOAD_INFO: 'shop/client/client',
    LOCAL_XDS: MESH,
    XDS_ADDRESS: '',
    CA_ADDRESS: `http://${AUTHORITY_ADDRESS}`,
    ...env,
  });
  proxies.push(proxy);
  return proxy;
}

async function talk() {
  const child = pods.start(client, [process.execPath, '-e', TALK]);
  const ended = once(child, 'exit').then(([code]) => code as number);
  const say = async (text: string): Promise<string> => {
    child.stdin!.write(text);
    const answered = once(child.stdout!, 'data').then(([answer]) => String(answer));
    return await Promise.race([answered, ended.then(() => 'cut')]);
  };
  expect(await say('hello')).toBe('hello');
  return { say, ended, close: () => child.kill() };
}

function canConnect(): boolean {
  try {
    pods.run(client, ['bash', '-c', 'exec 3<>/dev/tcp/10.77.0.1/8080']);
    return true;
  } catch {
    return false;
  }
}

beforeAll(async () => {
  pods = new PodNamespaces('aql');
  node = pods.add('node', '10.77.0.1');
  client = pods.add('client', '10.77.0.2');
  pods.run(client, ['nft', REDIRECTION]);
  authority = await AuthorityProcess.start(pods, node, AUTHORITY_ADDRESS);
  await once(pods.start(node, [process.execPath, '-e', ECHO]).stdout!, 'data');
});

afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
});

afterAll(async () => {
  await authority.stop();
  await pods[Symbol.asyncDispose]();
});

describe('a proxy that is told to end', () => {
  test('carries what is open until it closes, and takes nothing more (C255)', async () => {
    const proxy = startProxy({ CONNECTION_TERMINATION_DEADLINE: '60s' });
    await proxy.untilReady();
    const open = await talk();
    expect(canConnect()).toBe(true);
    proxy.terminate();
    await eventually(() => !canConnect());
    expect(await open.say('still there')).toBe('still there');
    const closedAtMs = performance.now();
    open.close();
    expect(await proxy.ended).toBe(0);
    expect(performance.now() - closedAtMs).toBeLessThan(10_000);
  });

  test('ends what does not close at its deadline (C256)', async () => {
    const proxy = startProxy({ CONNECTION_TERMINATION_DEADLINE: '1s' });
    await proxy.untilReady();
    const open = await talk();
    const startedMs = performance.now();
    proxy.terminate();
    expect(await proxy.ended).toBe(0);
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(900);
    expect(tookMs).toBeLessThan(5_000);
    expect(await open.ended).toBe(7);
    expect(proxy.accessLines().join()).toContain('connection closed due to connection drain');
  });

  test.for(['a request', 'a signal'] as const)(
    'by %s ends within five seconds (C258)',
    async (by) => {
      const proxy = startProxy();
      await proxy.untilReady();
      const startedMs = performance.now();
      if (by === 'a signal') proxy.terminate();
      else {
        const status = ['-X', 'POST', '-o', '/dev/null', '-w', '%{http_code}'];
        expect(proxy.get(15_000, '/quitquitquit', ...status)).toBe('200');
      }
      expect(await proxy.ended).toBe(0);
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    },
  );
});

test('metrics come in the format that was asked for (C263)', async () => {
  const proxy = startProxy();
  await proxy.untilReady();
  const typeFor = (accept: string): string =>
    proxy.get(
      15_020,
      '/metrics',
      '-H',
      `Accept: ${accept}`,
      '-o',
      '/dev/null',
      '-w',
      '%{content_type}',
    );
  const open = 'application/openmetrics-text;charset=utf-8;version=1.0.0';
  expect(typeFor('application/openmetrics-text; version=1.0.0')).toBe(open);
  expect(typeFor('text/html, application/openmetrics-text;q=0.5, */*')).toBe(open);
  expect(typeFor('text/plain')).toBe('text/plain; charset=utf-8');
  expect(typeFor('*/*')).toBe('text/plain; charset=utf-8');
});

describe('a port that a program has', () => {
  async function occupy(port: number): Promise<() => Promise<void>> {
    const script = `require('node:net').createServer().listen(${port}, () => console.log('up'))`;
    const program = pods.start(client, [process.execPath, '-e', script]);
    await once(program.stdout!, 'data');
    return async () => {
      const ended = once(program, 'exit');
      program.kill();
      await ended;
    };
  }

  test.for([15_000, 15_020, 15_021])(
    'stops the start, if it is for operators: %i',
    async (port) => {
      const free = await occupy(port);
      const proxy = startProxy();
      expect(await proxy.ended).not.toBe(0);
      await free();
    },
  );

  test('is waited for, if it is for connections: an earlier proxy may have it still', async () => {
    for (const port of [15_001, 15_006, 15_008]) {
      const free = await occupy(port);
      const proxy = startProxy();
      await eventually(() =>
        proxy.lines().some((line) => line.includes(`port ${port}: bind failed`)),
      );
      expect(() => proxy.get(15_021, '/healthz/ready')).toThrow('curl');
      await free();
      await proxy.untilReady();
      await proxy.stop();
    }
  });
});
