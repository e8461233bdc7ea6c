import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { AuthorityProcess, ZtunnelProcess } from '../fixtures/ztunnel-process.ts';

/**
 * Two node proxies as processes, each for one workload, described by a file: what they log and count of a series of
 * connections is what Istio's proxy logged and counted of it.
 */
const GOLDEN = join(import.meta.dirname, '..', 'fixtures', 'golden', 'ztunnel');
const AUTHORITY_ADDRESS = '10.77.0.1:15010';

/** Outgoing connections, but for the proxy's own, go to it (spec ztunnel 7.5, dedicated mode). */
const REDIRECTION = `
table ip dedicated {
  chain output {
    type nat hook output priority -100;
    ip daddr 10.77.0.1 accept
    oifname != "lo" meta l4proto tcp meta mark & 0xfff != 0x539 redirect to :15001
  }
}`;

/** An answer of the size of the recorded one; two ports more on which nobody gets that far. */
const APPLICATION = `
const body = 'x'.repeat(160 - 'HTTP/1.1 200 OK\\r\\nContent-Length: 117\\r\\n\\r\\n'.length);
const answer = 'HTTP/1.1 200 OK\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n' + body;
require('node:net').createServer((socket) => {
  socket.on('error', () => {}).once('data', () => socket.write(answer));
}).listen(8080, '0.0.0.0', () => console.log('up'));
`;

/** Sends a request of 27 bytes, and ends with its standard input. */
const HELD = `
const socket = require('node:net').connect(80, '10.96.0.1');
socket.write('GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n');
socket.once('data', () => console.log('answered')).on('close', () => process.exit());
process.stdin.on('end', () => socket.end()).resume();
`;

const CALLS = [
  ['pod address', 'http://10.77.0.3:8080/'],
  ['service address', 'http://10.96.0.1/'],
  ['denied by policy', 'http://10.77.0.3:9090/'],
  ['application refuses', 'http://10.96.0.2/'],
  ['no such host', 'http://10.96.0.3/'],
  ['service without endpoints', 'http://10.96.0.4/'],
  ['service with another expected SAN', 'http://10.96.0.5/'],
  ['service port not served', 'http://10.96.0.1:81/'],
  ['unknown address in the network', 'http://10.77.0.77/'],
  ['pod address, closed port', 'http://10.77.0.3:7/'],
] as const;

/** The services of the calls that reach the destination's proxy, the held one last. Of the first it has only the port. */
const SERVED = ['san', 'server', undefined, 'closed', 'san', undefined, 'server'];

let pods: PodNamespaces;
let authority: AuthorityProcess;
let client: PodNamespace;
let server: PodNamespace;
const proxies: ZtunnelProcess[] = [];

function startProxy(pod: PodNamespace, name: string, format: string): ZtunnelProcess {
  const proxy = new ZtunnelProcess(pods, pod, {
    PROXY_MODE: 'dedicated',
    PACKET_MARK: '1337',
    PROXY_WORKLOAD_INFO: `shop/${name}/${name}`,
    LOCAL_XDS_PATH: join(GOLDEN, 'config.yaml'),
    XDS_ADDRESS: '',
    CA_ADDRESS: `http://${AUTHORITY_ADDRESS}`,
    ENABLE_ORIG_SRC: 'false',
    LOG_FORMAT: format,
    // Threads have tunnels of their own; the recorded ones share them.
    ZTUNNEL_WORKER_THREADS: '1',
  });
  proxies.push(proxy);
  return proxy;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function golden(name: string): string[] {
  return linesOf(readFileSync(join(GOLDEN, name), 'utf8'));
}

/** Without what differs from one run to the next. */
function comparable(line: string): string {
  return line
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME')
    .replace(/(src\.addr\W+10\.77\.0\.\d+):\d+/, '$1:PORT')
    .replace(/"\d+ms"/, '"DURATION"');
}

/** Samples of connections, in no order. */
function samples(lines: readonly string[]): string[] {
  return lines.filter((line) => line.startsWith('istio_tcp_')).toSorted();
}

/**
 * The recorded proxy does not know which services a workload of its file serves, so that at the destination it names
 * none; ours does. Without them, and series that are then the same added up.
 */
function withoutServices(lines: readonly string[]): string[] {
  const sums = new Map<string, number>();
  for (const line of lines) {
    const [, series = '', value] = /^(.*) (\d+)$/.exec(line) ?? [];
    const key = series.replaceAll(/destination_service\w*="[^"]*",/g, '');
    sums.set(key, (sums.get(key) ?? 0) + Number(value));
  }
  return [...sums].map(([series, sum]) => `${series} ${sum}`).toSorted();
}

function withoutService(line: string): string {
  return line.replace(/ dst\.service="[^"]*"|"dst\.service":"[^"]*",/, '');
}

function curl(pod: PodNamespace, url: string): string {
  const format = 'code %{http_code} exit %{exitcode} errormsg %{errormsg}';
  const command = ['curl', '-s', '-A', 'curl/8.14.1', '--max-time', '8', '-o', '/dev/null'];
  const shell = `${[...command, '-w', `'${format}'`, url].join(' ')} || true`;
  return pods.run(pod, ['sh', '-c', shell]);
}

beforeAll(async () => {
  pods = new PodNamespaces('aqr');
  const node = pods.add('ca', '10.77.0.1');
  client = pods.add('client', '10.77.0.2');
  server = pods.add('server', '10.77.0.3');
  pods.run(client, ['ip', 'route', 'add', '10.96.0.0/16', 'dev', 'eth0']);
  for (const pod of [client, server]) {
    pods.run(pod, ['nft', REDIRECTION]);
  }
  authority = await AuthorityProcess.start(pods, node, AUTHORITY_ADDRESS);
  await once(pods.start(server, [process.execPath, '-e', APPLICATION]).stdout!, 'data');
});

afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
});

afterAll(async () => {
  await authority.stop();
  await pods[Symbol.asyncDispose]();
});

test.for([
  ['plain', 'text'],
  ['json', 'json'],
] as const)(
  'a series of connections is logged as recorded, as %s, and counted (C034, C080, C250, C261)',
  async ([format, recording]) => {
    const source = startProxy(client, 'client', format);
    const destination = startProxy(server, 'server', format);
    for (const proxy of proxies) await proxy.untilReady();
    const called = CALLS.map(([what, url]) => `${what} => ${curl(client, url)}`);
    const local = curl(server, 'http://127.0.0.1:8080/').split(' ')[1];
    called.push(`plaintext from the server's own namespace => ${local}`);
    expect(called).toEqual(golden('calls.txt'));

    const held = pods.start(client, [process.execPath, '-e', HELD]);
    await once(held.stdout!, 'data');
    const counted = () => samples(linesOf(source.get(15_020, '/metrics')));
    await expect.poll(counted).toEqual(samples(golden('client.metrics.txt')));
    const received = samples(linesOf(destination.get(15_020, '/metrics')));
    expect(withoutServices(received)).toEqual(
      withoutServices(samples(golden('server.metrics.txt'))),
    );
    const ended = once(held, 'exit');
    held.stdin!.end();
    await ended;
    await Promise.all(proxies.map((proxy) => proxy.stop()));

    const [sent, taken] = proxies.map((proxy) => proxy.accessLines().map(comparable));
    expect(sent).toEqual(golden(`client.${recording}.log`).map(comparable));
    expect(taken!.map(withoutService)).toEqual(golden(`server.${recording}.log`).map(comparable));
    const services = taken!.map((line) => /dst\.service\W+([\w.]+)/.exec(line)?.[1]);
    expect(services).toEqual(SERVED.map((name) => name && `${name}.shop.svc.cluster.local`));
  },
);
