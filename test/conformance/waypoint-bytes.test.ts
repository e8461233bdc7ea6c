import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import {
  ask,
  captureAt,
  gatewayObject,
  listenAt,
  policyObject,
  type RunningWaypoint,
  readUntil,
  serveAt,
  serverPod,
  serviceObject,
  startWaypointProcess,
  untilEnded,
  untilReady,
  VIP,
  WAYPOINT_POD,
} from '../fixtures/waypoint-process.ts';

/** Connections whose bytes are passed through, and how they are told from HTTP. */

/** Says after each line how long it was, so that nobody takes his own bytes for an answer. */
function lengths(socket: Duplex): void {
  let line = '';
  socket.on('data', (chunk: Buffer) => {
    for (const character of chunk.toString('latin1')) {
      line += character;
      if (character !== '\n') continue;
      socket.write(`len ${line.length}\n`);
      line = '';
    }
  });
  socket.on('end', () => socket.end(`rest ${line.length}\n`));
}

async function start(ip: string): Promise<RunningWaypoint> {
  const port = await serveAt(ip, lengths);
  const greeter = await serveAt(ip, (socket) => {
    socket.write('220 ready\n');
    lengths(socket);
  });
  const waypoint = await startWaypointProcess([
    gatewayObject('service'),
    WAYPOINT_POD,
    serverPod(ip),
    serviceObject([
      { port: 70, targetPort: port },
      { port: 71, targetPort: greeter },
      { name: 'grpc', port: 72, targetPort: port },
      { name: 'http', port: 73, targetPort: port },
      { name: 'http-web', port: 74, targetPort: port, appProtocol: 'kubernetes.io/h2c' },
      { name: 'tcp', port: 75, targetPort: port },
    ]),
  ]);
  await untilReady(waypoint);
  return waypoint;
}

describe('at a port whose protocol is not declared', () => {
  test('what is no HTTP/1.1 reaches the server whole, at whatever places it is cut (L032)', async () => {
    const waypoint = await start('127.0.0.51');
    const clients = [
      'hello\n',
      'EHLO me\r\n',
      'NICK x\r\nUSER y 0 * :z\r\n',
      'OPTIONS rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\n',
      'GET / HTTP/1.0\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\n',
    ];
    for (const sent of clients) {
      const answer = sent.replaceAll(/[^\n]*\n/g, (line) => `len ${line.length}\n`);
      for (const cut of [sent.length, 1, 4, sent.length - 1]) {
        const stream = await waypoint.dial(`${VIP}:70`);
        stream.write(Buffer.from(sent.slice(0, cut), 'latin1'));
        await delay(20);
        stream.write(Buffer.from(sent.slice(cut), 'latin1'));
        expect(await readUntil(stream, answer)).toBe(answer);
        stream.write('again!!\n');
        expect(await readUntil(stream, '\n')).toBe('len 8\n');
        stream.destroy();
      }
    }
  }, 60_000);

  test('one byte is passed on, also when the client ends after it', async () => {
    const waypoint = await start('127.0.0.52');
    const ended = await waypoint.dial(`${VIP}:70`);
    ended.end('G');
    expect(await readUntil(ended, '\n')).toBe('rest 1\n');
    const waiting = await waypoint.dial(`${VIP}:70`);
    waiting.write('G');
    await eventually(() =>
      waypoint.get('stats', '/stats/prometheus').then(({ body }) => {
        return /istio_tcp_received_bytes_total\{.*destination_service="cart.*\} 2\n/.test(body);
      }),
    );
    waiting.destroy();
    const silent = await waypoint.dial(`${VIP}:70`);
    silent.end();
    expect(await readUntil(silent, '\n')).toBe('rest 0\n');
  }, 60_000);

  test('a server that speaks first is heard', async () => {
    const waypoint = await start('127.0.0.53');
    const stream = await waypoint.dial(`${VIP}:71`);
    expect(await readUntil(stream, '\n')).toBe('220 ready\n');
    stream.write('quit\n');
    expect(await readUntil(stream, '\n')).toBe('len 5\n');
  }, 60_000);

  test('HTTP/1.1 is routed as such, also when its first line comes in pieces', async () => {
    const ip = '127.0.0.54';
    const app = createServer((request, response) =>
      response.end(`saw ${request.headers['x-request-id'] !== undefined}`),
    );
    const port = await listenAt(app, ip);
    const waypoint = await startWaypointProcess([
      gatewayObject('service'),
      WAYPOINT_POD,
      serverPod(ip),
      serviceObject([{ port: 70, targetPort: port }]),
    ]);
    await untilReady(waypoint);
    const stream = await waypoint.dial(`${VIP}:70`);
    for (const part of ['G', 'ET /', ' HTTP/1', '.1\r', '\nHost: cart\r\n\r\n']) {
      stream.write(part);
      await delay(10);
    }
    expect(await readUntil(stream, 'saw true')).toContain('200 OK');
  }, 60_000);
});

test('every connection whose bytes are passed through leaves a line and is counted', async () => {
  const ip = '127.0.0.56';
  const waypoint = await start(ip);
  const stream = await waypoint.dial(`${VIP}:75`);
  stream.write('hello\n');
  await readUntil(stream, 'len 6\n');
  stream.end();
  expect(await untilEnded(stream)).toBe(true);
  const line = await eventually(() =>
    waypoint.lines().find((text) => text.includes('inbound-vip|75|tcp')),
  );
  expect(line).toMatch(
    /^\[\S+\] "- - -" 0 - - - "-" 6 13 \d+ - "-" "-" "-" "-" "127\.0\.0\.56:\d+" inbound-vip\|75\|tcp\|cart\.shop\.svc\.cluster\.local - 10\.96\.0\.10:75 127\.0\.0\.1:\d+ - -$/,
  );
  const { body } = await waypoint.get('stats', '/stats/prometheus');
  for (const [name, value] of [
    ['connections_opened', 1],
    ['connections_closed', 1],
    ['received_bytes', 6],
    ['sent_bytes', 13],
  ]) {
    expect(body).toMatch(
      new RegExp(
        `istio_tcp_${name}_total\\{.*source_principal="spiffe://cluster.local/ns/shop/sa/client".*request_protocol="tcp".*\\} ${value}\n`,
      ),
    );
  }
}, 60_000);

test('an address in policies is that of whoever opened the tunnel, not what he says', async () => {
  const waypoint = await start('127.0.0.57');
  const ipBlocks = ['10.244.1.7'];
  waypoint.plane.api.put(policyObject({ rules: [{ from: [{ source: { ipBlocks } }] }] }));
  waypoint.plane.api.put(
    policyObject({ rules: [{ from: [{ source: { remoteIpBlocks: ipBlocks } }] }] }, 'remote'),
  );
  const says = { forwarded: 'for="10.244.1.7:4000"' };
  await eventually(async () => {
    const stream = await waypoint.dial(`${VIP}:75`, { headers: says });
    return (await untilEnded(stream)) === false;
  });
  const request = await waypoint.dial(`${VIP}:73`, { headers: says });
  expect(await ask(request)).toContain(' 403 ');
  waypoint.plane.api.put(
    policyObject({ rules: [{ from: [{ source: { ipBlocks: ['127.0.0.99'] } }] }] }),
  );
  await eventually(async () => {
    const stream = await waypoint.dial(`${VIP}:75`, { from: '127.0.0.99' });
    stream.write('hello\n');
    return (await readUntil(stream, '\n')) === 'len 6\n';
  });
}, 60_000);

describe('traffic to the address of a workload', () => {
  test('goes through its waypoint to exactly that pod, by a tunnel where it takes one', async () => {
    const captured = '127.0.0.58';
    const plain = '127.0.0.59';
    const appAt = async (ip: string, port = 0): Promise<number> => {
      const app = createServer((_request, response) => response.end(`at ${ip}`));
      if (port === 0) return listenAt(app, ip);
      app.listen(port, ip);
      return port;
    };
    const port = await appAt(captured);
    await appAt(plain, port);
    const bytes = await serveAt(plain, lengths);
    const enabled = { 'ambient.istio.io/redirection': 'enabled' };
    const waypoint = await startWaypointProcess([
      gatewayObject('workload'),
      WAYPOINT_POD,
      serverPod(captured, enabled),
      serverPod(plain),
    ]);
    const authorities = await captureAt(captured, await waypoint.certificate('server'));
    await untilReady(waypoint);
    for (const ip of [captured, plain, captured, plain]) {
      const stream = await waypoint.dial(`${ip}:${port}`);
      expect(await ask(stream)).toMatch(new RegExp(`200 OK[^]*at ${ip}$`));
    }
    expect(authorities).toEqual([`${captured}:${port}`]);
    const raw = await waypoint.dial(`${plain}:${bytes}`);
    raw.write('hello\n');
    expect(await readUntil(raw, '\n')).toBe('len 6\n');

    // A status that somebody writes to the Gateway must not unbind anybody.
    waypoint.plane.api.put(gatewayObject('workload', { touched: 'yes' }));
    const gateways = () => waypoint.plane.app.publisher.current?.cluster.of('Gateway').entries();
    await eventually(() => [...(gateways() ?? [])][0]?.[1].metadata.annotations?.touched === 'yes');
    expect(await ask(await waypoint.dial(`${plain}:${port}`))).toContain(`at ${plain}`);

    const kept = await waypoint.dial(`${captured}:${port}`);
    expect(await ask(kept)).toContain('200 OK');
    const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' }];
    const rules = [{ to: [{ operation: { methods: ['DELETE'] } }] }];
    waypoint.plane.api.put(policyObject({ targetRefs, action: 'DENY', rules }));
    await eventually(async () => (await ask(kept, 'DELETE / HTTP/1.1')).includes(' 403 '));
    expect(await ask(kept)).toContain('200 OK');
  }, 60_000);
});
