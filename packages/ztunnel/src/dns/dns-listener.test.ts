import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createLogger } from '@aquifer/runtime';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { ownSockets } from '../../../../test/fixtures/socket-settings.ts';
import { listenDnsInPod, udpSocketInPod } from '../capture/dns-sockets.ts';
import { dialInPod } from '../capture/sockets.ts';
import { DnsListener } from './dns-listener.ts';
import { DnsProxy } from './dns-proxy.ts';
import { DnsTotals } from './dns-totals.ts';
import { DnsForwarder } from './forwarder.ts';
import { RCODE } from './message.ts';
import { parseNameserver } from './pod-dns.ts';

const isRoot = process.getuid?.() === 0;
const PORT = 15_053;
const client = aWorkload({ name: 'client', addresses: ['10.0.0.1'] });
const many = Array.from({ length: 256 }, (_, i) => ({
  network: '',
  address: `10.96.1.${i}`,
  prefixLength: null,
}));

/** A nameserver of the outside world: knows `outside.example`, and says nothing about `silent.example`. */
async function nameserver(): Promise<{ ip: string; port: number }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const name = query.toString('latin1', 12);
    if (name.includes('silent')) return;
    const end = query.indexOf(0, 12) + 5;
    const isKnown = name.includes('outside');
    const head = Buffer.from(query.subarray(0, end));
    // AA is set, which a relayed answer must not have.
    head.writeUInt16BE(isKnown ? 0x8500 : 0x8503, 2);
    head.writeUInt16BE(isKnown ? 1 : 0, 6);
    head.writeUInt16BE(0, 10);
    const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7];
    socket.send(Buffer.concat([head, Buffer.from(isKnown ? record : [])]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  afterAll(() => void socket.close());
  return { ip: '127.0.0.1', port: socket.address().port };
}

/** With a raw socket, as a program with CAP_NET_RAW may. */
function sendFromPortZero(payload: Buffer): void {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(PORT, 2);
  header.writeUInt16BE(header.length + payload.length, 4);
  const program =
    'import socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_UDP);' +
    "s.sendto(bytes.fromhex(sys.argv[1]),('127.0.0.1',0))";
  const datagram = Buffer.concat([header, payload]).toString('hex');
  execFileSync('python3', ['-c', program, datagram]);
}

describe.skipIf(!isRoot)('a pod that asks its proxy', () => {
  const totals = new DnsTotals();
  let resolver: Resolver;

  beforeAll(async () => {
    const sockets = ownSockets();
    const services = [
      aService({ name: 'server', vip: '10.96.0.1' }),
      { ...aService({ name: 'large', vip: '' }), addresses: many },
    ];
    const upstream = await nameserver();
    const forwarder = new DnsForwarder(
      {
        udp: (family) => udpSocketInPod(sockets, family),
        tcp: (to) => dialInPod(sockets, to, { sourceIp: null }),
      },
      () => [upstream],
    );
    const proxy = new DnsProxy({
      mesh: { current: aSnapshot([client], services) },
      forwarder,
      totals,
      log: createLogger('dns', { format: 'plain', levels: 'off' }),
      scope: { network: '', clusterDomain: 'cluster.local', preferredNamespace: null },
      client: () => Promise.resolve(client),
    });
    const listener = new DnsListener(listenDnsInPod(sockets), proxy);
    resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${PORT}`]);
    afterAll(() => {
      listener.close();
      sockets.namespace.close();
    });
  });

  test('learns the address of a Service from the proxy, over IPv4 and IPv6', async () => {
    expect(await resolver.resolve4('server')).toEqual(['10.96.0.1']);
    const overV6 = new Resolver();
    overV6.setServers([`[::1]:${PORT}`]);
    expect(await overV6.resolve4('server.shop.svc.cluster.local')).toEqual(['10.96.0.1']);
  });

  test('hears that a Service has no address of the other family (C208)', async () => {
    await expect(resolver.resolve6('server')).rejects.toMatchObject({ code: 'ENODATA' });
  });

  test('hears of the outside world what the nameserver says, unknown names included (C205, C219)', async () => {
    expect(await resolver.resolve4('outside.example')).toEqual(['203.0.113.7']);
    await expect(resolver.resolve4('nowhere.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolveMx('server')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  /** The answer to a query in bytes: its head, and what follows the question. */
  async function ask(name: string, type: number, overV6 = false) {
    const socket = createSocket(overV6 ? 'udp6' : 'udp4');
    onTestFinished(() => void socket.close());
    const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
    const head = [0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    const query = Buffer.of(...head, ...labels, 0, 0, type, 0, 1);
    const host = overV6 ? '::ffff:127.0.0.1' : '127.0.0.1';
    const answered = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(query, PORT, host);
    const [answer] = await answered;
    const flags = answer.readUInt16BE(2);
    return {
      id: answer.readUInt16BE(0),
      isAuthoritative: (flags & 0x0400) !== 0,
      isTruncated: (flags & 0x0200) !== 0,
      recursion: [(flags & 0x0100) !== 0, (flags & 0x0080) !== 0],
      answers: answer.readUInt16BE(6),
      additional: answer.readUInt16BE(10),
    };
  }

  const NS = 2;
  const A = 1;

  test('has what is no address forwarded, whoever the name belongs to (C202)', async () => {
    const { isAuthoritative, answers } = await ask('server', NS);
    expect({ isAuthoritative, answers }).toEqual({ isAuthoritative: false, answers: 0 });
  });

  test('hears from flags who answered (C222)', async () => {
    const common = { id: 0x1234, isTruncated: false, answers: 1, additional: 0 };
    const recursion = [true, true];
    expect(await ask('server', A)).toEqual({ ...common, recursion, isAuthoritative: true });
    expect(await ask('outside.example', A)).toEqual({
      ...common,
      recursion,
      isAuthoritative: false,
    });
  });

  test('may ask from an IPv6 socket at a mapped address (C220)', async () => {
    const { isAuthoritative, answers } = await ask('server', A, true);
    expect({ isAuthoritative, answers }).toEqual({ isAuthoritative: true, answers: 1 });
  });

  test('hears of a failure when no nameserver answers, and others are answered meanwhile', async () => {
    const patient = createSocket('udp4');
    onTestFinished(() => void patient.close());
    const question = '\0\x01\x01\0\0\x01\0\0\0\0\0\0\x06silent\x07example\0\0\x01\0\x01';
    patient.send(Buffer.from(question, 'latin1'), PORT, '127.0.0.1');
    const answered = once(patient, 'message') as Promise<[Buffer]>;
    expect(await resolver.resolve4('server')).toEqual(['10.96.0.1']);
    const [answer] = await answered;
    expect(answer.readUInt16BE(2) & 15).toBe(RCODE.serverFailure);
  });

  test('gets all of a large answer, over TCP (C218)', async () => {
    expect(await resolver.resolve4('large')).toHaveLength(256);
  });

  test('may send several queries over one TCP connection, in pieces, and garbage ends none but its own', async () => {
    const garbage = connect(PORT, '127.0.0.1');
    garbage.on('error', () => undefined);
    garbage.write(Buffer.alloc(100, 255));
    const socket = connect(PORT, '127.0.0.1');
    onTestFinished(() => {
      socket.destroy();
      garbage.destroy();
    });
    const question = Buffer.from(
      '\0\x01\x01\0\0\x01\0\0\0\0\0\0\x06server\0\0\x01\0\x01',
      'latin1',
    );
    const framed = Buffer.concat([Buffer.of(0, question.length), question]);
    const both = Buffer.concat([framed, framed]);
    let got = 0;
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        got += chunk.length;
        if (got >= 2 * (framed.length + 16)) resolve();
      });
    });
    for (const byte of both) socket.write(Buffer.of(byte));
    await answered;
    expect(got).toBe(2 * (framed.length + 16));
  });

  test('may send what nobody can answer, and is answered on: a source port of 0', async () => {
    const question = '\0\x01\x01\0\0\x01\0\0\0\0\0\0\x06server\0\0\x01\0\x01';
    sendFromPortZero(Buffer.from(question, 'latin1'));
    expect(await resolver.resolve4('server')).toEqual(['10.96.0.1']);
  });

  test('is counted by type, transport and application (C260)', () => {
    const counts = totals.all().queries.find((c) => c.queryType === 'a' && c.transport === 'udp');
    expect(counts).toMatchObject({ canonicalService: 'client', canonicalRevision: 'latest' });
    expect(counts!.requests).toBeGreaterThan(counts!.upstreamRequests);
    expect(counts!.upstreamFailures).toBeGreaterThan(0);
    expect(totals.all().queries.some((c) => c.transport === 'tcp' && c.requests > 0)).toBe(true);
  });
});

test.for([
  ['10.96.0.10', '10.96.0.10', 53],
  ['10.96.0.10:5353', '10.96.0.10', 5353],
  ['2001:db8::1', '2001:db8::1', 53],
  ['[2001:db8::1]:5353', '2001:db8::1', 5353],
] as const)('the nameserver %s is %s, port %i', ([text, ip, port]) => {
  expect(parseNameserver(text)).toEqual({ ip, port });
});
