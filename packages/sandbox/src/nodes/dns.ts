/** The cluster's DNS server, over UDP and TCP. It knows the cluster's names and nothing else. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { ClusterClient, ResourceKey, WatchEvent } from '@aquifer/kube-api';
import type { EndpointSlice, Service } from '@aquifer/model/resources';
import { AUTHORITATIVE_ANSWER, decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';
import { DnsNames, type DnsRecord } from './dns-records.ts';

const SERVICES: ResourceKey = { group: '', version: 'v1', plural: 'services' };
const SLICES: ResourceKey = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices' };

/** As CoreDNS in kubeadm clusters. Seconds. */
const TTL_SECONDS = 30;
const NXDOMAIN = 3;
/** A client that says nothing more is let go. */
const IDLE_MS = 10_000;
/** What fits a datagram without EDNS; a longer answer is asked for again over TCP. */
const MAX_DATAGRAM_BYTES = 512;
const TRUNCATED = 0x0200;

export class DnsServer {
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #watches: readonly Disposable[];
  #names: DnsNames | null = null;
  #udp: UdpSocket | null = null;
  #tcp: Server | null = null;
  readonly #clients = new Set<Socket>();

  constructor(client: ClusterClient) {
    this.#watches = [
      client.watch(SERVICES, (event) => this.#store(this.#services, event)),
      client.watch(SLICES, (event) => this.#store(this.#slices, event)),
    ];
  }

  /** Throws if the address cannot be bound. */
  async listen(host: string, port: number): Promise<void> {
    const udp = createSocket('udp4');
    this.#udp = udp;
    udp.on('message', (query, peer) => {
      const answer = this.#answer(query, MAX_DATAGRAM_BYTES);
      if (answer !== null) udp.send(answer, peer.port, peer.address);
    });
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(port, host, resolve);
    });
    // A peer that is gone answers with an ICMP error, which must not end the server.
    udp.removeAllListeners('error').on('error', () => undefined);
    const tcp = createServer((socket) => this.#serve(socket));
    this.#tcp = tcp;
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(port, host, resolve);
    });
  }

  stop(): void {
    for (const watch of this.#watches) watch[Symbol.dispose]();
    this.#udp?.close();
    this.#tcp?.close();
    for (const client of this.#clients) client.destroy();
  }

  #store<T>(into: Map<string, T>, event: WatchEvent): void {
    if (event.type === 'synced') return;
    const key = `${event.object.metadata.namespace}/${event.object.metadata.name}`;
    if (event.type === 'deleted') into.delete(key);
    else into.set(key, event.object as unknown as T);
    this.#names = null;
  }

  /** Queries over TCP carry a length of two bytes before each message (RFC 1035 4.2.2). */
  #serve(socket: Socket): void {
    this.#clients.add(socket);
    let buffered = Buffer.alloc(0);
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#clients.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        const answer = this.#answer(buffered.subarray(2, end), 65_535);
        buffered = buffered.subarray(end);
        if (answer === null) return socket.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      }
    });
  }

  /** Null for what is not a query. */
  #answer(message: Buffer, maxBytes: number): Buffer | null {
    let query: Packet;
    try {
      query = decode(message);
    } catch {
      return null;
    }
    const question = query.questions?.[0];
    if (query.type !== 'query' || question === undefined) return null;
    this.#names ??= new DnsNames([...this.#services.values()], [...this.#slices.values()]);
    const found = this.#names.lookup(question.name, question.type);
    const desired = (query.flags ?? 0) & RECURSION_DESIRED;
    const flags = AUTHORITATIVE_ANSWER | desired | (found === null ? NXDOMAIN : 0);
    const response: Packet = {
      type: 'response',
      id: query.id ?? 0,
      flags,
      questions: [question],
      answers: inOrder(found ?? []).map((record) => answerOf(record, question.name)),
    };
    const encoded = encode(response);
    if (encoded.length <= maxBytes) return encoded;
    return encode({ ...response, flags: flags | TRUNCATED, answers: [] });
  }
}

type Answer = NonNullable<Packet['answers']>[number];

/** The name is repeated as it was asked: some resolvers vary its case and compare. */
function answerOf(record: DnsRecord, asked: string): Answer {
  const name = record.name === asked.toLowerCase() ? asked : record.name;
  if (record.type === 'CNAME')
    return { type: 'CNAME', name, ttl: TTL_SECONDS, data: record.target };
  if (record.type === 'A') return { type: 'A', name, ttl: TTL_SECONDS, data: record.address };
  const { port, target } = record;
  return { type: 'SRV', name, ttl: TTL_SECONDS, data: { port, target, priority: 0, weight: 100 } };
}

/** An alias goes before what it leads to. */
function inOrder(records: readonly DnsRecord[]): readonly DnsRecord[] {
  const isAlias = ({ type }: DnsRecord): boolean => type === 'CNAME';
  return [...records.filter(isAlias), ...shuffled(records.filter((record) => !isAlias(record)))];
}

/** Clients take the first address: without this all would meet at one pod of a headless Service. */
function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, order: Math.random() }))
    .toSorted((one, other) => one.order - other.order)
    .map(({ value }) => value);
}
