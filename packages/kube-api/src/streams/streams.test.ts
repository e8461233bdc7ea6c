/** Real kubectl against real processes on this machine in place of a container's. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { KubeConfig, PortForward } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { findKubectl } from '../../../../test/setup/find-kubectl.ts';
import { type ApiServer, startApiServer } from '../api-server.ts';
import type { ExecSession, PodAccess } from '../cluster-client.ts';

const kubectl = findKubectl();
const directory = mkdtempSync(join(tmpdir(), 'kubectl-streams-'));

const runLocally = (program: string, args: readonly string[]): ExecSession => {
  const child = spawn(program, args, { stdio: 'pipe' });
  const exitCode = once(child, 'close').then(([code]) => Number(code));
  const { stdin, stdout, stderr } = child;
  const kill = (): void => void child.kill();
  return { stdin, stdout, stderr, exitCode, resize: () => undefined, kill };
};

const localProcesses: PodAccess = {
  logs: async (_ref, { tailLines }) => Readable.from([`tail ${tailLines}\n`]),
  exec: async (_ref, { command }) => runLocally(command[0]!, command.slice(1)),
  attach: async () => runLocally('cat', []),
  portForward: async (_ref, port) => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  },
};

describe.skipIf(kubectl === null)('streams into containers', () => {
  let api: ApiServer;
  let echo: Server;

  beforeAll(async () => {
    api = await startApiServer({
      dataDirectory: join(directory, 'cluster'),
      listen: [{ host: '127.0.0.1', port: 0 }],
      onFault: (error) => {
        throw error;
      },
      podAccess: localProcesses,
    });
    writeFileSync(join(directory, 'kubeconfig'), api.kubeconfig());
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'default' },
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1' }] },
    };
    const pods = { group: '', version: 'v1', plural: 'pods' };
    await api.client.create(pods, pod);
    const running = { phase: 'Running', containerStatuses: [] };
    await api.client.mergePatch(
      pods,
      { ...pod.metadata, subresource: 'status' },
      { status: running },
    );
    echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
  });

  afterAll(async () => {
    echo.close();
    await api.stop();
    rmSync(directory, { recursive: true });
  });

  function environment(webSockets: boolean): NodeJS.ProcessEnv {
    return {
      HOME: directory,
      PATH: process.env.PATH,
      KUBECONFIG: join(directory, 'kubeconfig'),
      KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(webSockets),
      KUBECTL_PORT_FORWARD_WEBSOCKETS: String(webSockets),
    };
  }

  function run(args: readonly string[], input: string, webSockets: boolean) {
    const { promise, resolve } = Promise.withResolvers<{
      code: unknown;
      out: string;
      err: string;
    }>();
    const env = environment(webSockets);
    const child = execFile(kubectl ?? '', args, { env, maxBuffer: 1e8 }, (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }),
    );
    child.stdin?.end(input);
    return promise;
  }

  const protocols = [
    { protocol: 'WebSocket', webSockets: true },
    { protocol: 'SPDY', webSockets: false },
  ];

  test.for(protocols)(
    'exec over $protocol carries both outputs and the exit code',
    async ({ webSockets }) => {
      const command = ['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'];
      const { code, out, err } = await run(command, '', webSockets);
      expect(code).toBe(7);
      expect(out).toBe('out\n');
      expect(err).toContain('err\n');
      expect(err).toContain('command terminated with exit code 7');
    },
  );

  test.for(protocols)(
    'exec -i over $protocol carries a megabyte in and out',
    async ({ webSockets }) => {
      const input = 'x'.repeat(1_000_000);
      const { code, out } = await run(['exec', '-i', 'web', '--', 'cat'], input, webSockets);
      expect(code).toBe(0);
      expect(out === input).toBe(true);
    },
  );

  /** An exec of `cat` by hand: whatever frames a client may send. */
  async function openExec(): Promise<WebSocket> {
    const { users } = parse(api.kubeconfig()) as { users: { user: Record<string, string> }[] };
    const pem = (field: string) => Buffer.from(users[0]?.user[field] ?? '', 'base64');
    const path = '/api/v1/namespaces/default/pods/web/exec?command=cat&stdin=true&stdout=true';
    const socket = new WebSocket(`${api.url.replace('https', 'wss')}${path}`, 'v5.channel.k8s.io', {
      ca: api.caPem,
      cert: pem('client-certificate-data'),
      key: pem('client-key-data'),
    });
    socket.on('error', () => undefined);
    await once(socket, 'open');
    return socket;
  }

  test('messages of an exec that mean nothing end neither it nor the API', async () => {
    const socket = await openExec();
    const resize = (text: string) => Buffer.concat([Buffer.of(4), Buffer.from(text)]);
    for (const text of ['', '{', '{"Width":"x"}', '[1]', 'null', '{"Width":-1,"Height":1e9}']) {
      socket.send(resize(text));
    }
    for (const bytes of [[], [77, 1], [255], [255, 9], [4], [1, 2, 3]])
      socket.send(Buffer.from(bytes));
    const answers = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(Buffer.concat([Buffer.of(0), Buffer.from('still here')]));
    expect((await answers)[0].toString()).toContain('still here');
    socket.send(Buffer.of(255, 0));
    socket.send(Buffer.concat([Buffer.of(0), Buffer.from('after the end of the input')]));
    await once(socket, 'close');
    expect((await run(['logs', 'web', '--tail=4'], '', true)).out).toBe('tail 4\n');
  });

  test('frames that are none end their own connection only', async () => {
    const socket = await openExec();
    const { _socket: raw } = socket as unknown as { _socket: Socket };
    raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    await once(socket, 'close');
    expect((await run(['logs', 'web', '--tail=5'], '', true)).out).toBe('tail 5\n');
  });

  test('exec of a program that does not exist tells why', async () => {
    const { code, err } = await run(['exec', 'web', '--', 'no-such-program'], '', true);
    expect(code).not.toBe(0);
    expect(err).not.toBe('');
  });

  test.for(protocols)(
    'port-forward over $protocol carries a connection both ways',
    async ({ webSockets }) => {
      const { port } = echo.address() as { port: number };
      const forward = spawn(kubectl ?? '', ['port-forward', 'pod/web', `:${port}`], {
        env: environment(webSockets),
      });
      const [line] = (await once(forward.stdout, 'data')) as [Buffer];
      const local = Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]);
      const socket = connect(local, '127.0.0.1');
      socket.end('through the tunnel');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toBe('through the tunnel');
      forward.kill();
      await once(forward, 'close');
    },
  );

  async function forwardByLibrary(port: number, input: string) {
    const config = new KubeConfig();
    config.loadFromFile(join(directory, 'kubeconfig'));
    const [output, errors, toPod] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const forward = new PortForward(config);
    const socket = await forward.portForward('default', 'web', [port], output, errors, toPod);
    toPod.write(input);
    return { output, errors, close: () => 'close' in socket && socket.close() };
  }

  test('port-forward over channels carries a megabyte both ways for the client library', async () => {
    const { port } = echo.address() as { port: number };
    const { output, close } = await forwardByLibrary(port, 'x'.repeat(1_000_000));
    let received = '';
    for await (const chunk of output) {
      received += String(chunk);
      if (received.length >= 1_000_000) break;
    }
    expect(received === 'x'.repeat(1_000_000)).toBe(true);
    close();
  });

  test('port-forward over channels tells on the error channel that nothing listens', async () => {
    const { errors, close } = await forwardByLibrary(1, '');
    errors.setEncoding('utf8');
    const told = (): string | null => (errors.read() as string | null) || null;
    expect(await eventually(told)).toContain('error forwarding port 1 to pod web');
    close();
  });

  test('logs passes the options on and prints what the container wrote', async () => {
    const { out } = await run(['logs', 'web', '--tail=3'], '', true);
    expect(out).toBe('tail 3\n');
  });
});
