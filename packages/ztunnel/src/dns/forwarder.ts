import { randomInt } from 'node:crypto';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import type { SocketAddress } from '@aquifer/wire';
import { type DnsQuery, isAnswerTo } from './message.ts';
import { frameMessage, MessageSplitter } from './tcp-framing.ts';

/** Each silent nameserver gets so long before the next is asked as well. */
const NEXT_AFTER_MS = 1500;
/** Clients ask again after 5 s (resolv.conf(5)). */
const DEADLINE_MS = 5000;
/** Queries under way for one pod; each holds a socket. */
const MAX_UNDER_WAY = 512;
const TRUNCATED = 0x0200;

/** How to reach nameservers from the client's own network. */
export interface DnsSockets {
  udp(family: 4 | 6): UdpSocket;
  tcp(to: SocketAddress): Promise<Socket>;
}

/** Asks the nameservers that the proxy itself uses, from inside the network of the pod that asked. */
export class DnsForwarder {
  readonly #sockets: DnsSockets;
  readonly #nameservers: () => readonly SocketAddress[];
  #underWay = 0;

  /** `nameservers` are tried in order. */
  constructor(sockets: DnsSockets, nameservers: () => readonly SocketAddress[]) {
    this.#sockets = sockets;
    this.#nameservers = nameservers;
  }

  /** The answer of the first nameserver that gives one; throws, with a text for logs, if none does in 5 s. */
  async forward(query: DnsQuery, isTcp: boolean): Promise<Buffer> {
    if (this.#underWay >= MAX_UNDER_WAY) throw new Error('too many queries under way');
    this.#underWay += 1;
    try {
      const { answer, from } = await this.#overUdp(query);
      const isCut = (answer.readUInt16BE(2) & TRUNCATED) !== 0;
      // A client that asked over UDP is told, and asks again over TCP.
      return isCut && isTcp ? await this.#overTcp(query, from) : answer;
    } finally {
      this.#underWay -= 1;
    }
  }

  async #overUdp(query: DnsQuery): Promise<{ answer: Buffer; from: SocketAddress }> {
    const nameservers = this.#nameservers();
    if (nameservers.length === 0) throw new Error('no nameserver is configured');
    const found = Promise.withResolvers<{ answer: Buffer; from: SocketAddress }>();
    const open: UdpSocket[] = [];
    let failed = 0;
    let next = 0;
    let isOver = false;
    const ask = (): void => {
      const nameserver = nameservers[next];
      if (isOver || nameserver === undefined) return;
      next += 1;
      let hasFailed = false;
      const onFailed = (error: Error): void => {
        if (hasFailed) return;
        hasFailed = true;
        failed += 1;
        if (failed === nameservers.length) found.reject(error);
        else ask();
      };
      const onAnswer = (answer: Buffer): void => found.resolve({ answer, from: nameserver });
      try {
        open.push(this.#askOne(query, nameserver, { onAnswer, onFailed }));
      } catch (error) {
        // The pod has no such family of addresses, or its network has gone meanwhile.
        onFailed(error as Error);
      }
    };
    ask();
    const more = setInterval(ask, NEXT_AFTER_MS);
    const deadline = setTimeout(() => found.reject(new Error('request timed out')), DEADLINE_MS);
    try {
      return await found.promise;
    } finally {
      isOver = true;
      clearInterval(more);
      clearTimeout(deadline);
      for (const socket of open) socket.close();
    }
  }

  /** With an id and a port of its own, so that nobody can answer in the nameserver's place. */
  #askOne(
    query: DnsQuery,
    nameserver: SocketAddress,
    handlers: { onAnswer(answer: Buffer): void; onFailed(error: Error): void },
  ): UdpSocket {
    const socket = this.#sockets.udp(nameserver.ip.includes(':') ? 6 : 4);
    const bytes = Buffer.from(query.bytes);
    bytes.writeUInt16BE(randomInt(0x10000), 0);
    socket.on('error', handlers.onFailed);
    socket.on('message', (answer) => {
      if (isAnswerTo(bytes, query.questionEnd, answer)) handlers.onAnswer(answer);
    });
    socket.connect(nameserver.port, nameserver.ip, (error?: Error) => {
      if (error !== undefined) handlers.onFailed(error);
      else socket.send(bytes);
    });
    return socket;
  }

  async #overTcp(query: DnsQuery, nameserver: SocketAddress): Promise<Buffer> {
    const socket = await this.#sockets.tcp(nameserver);
    const found = Promise.withResolvers<Buffer>();
    const deadline = setTimeout(() => found.reject(new Error('request timed out')), DEADLINE_MS);
    const splitter = new MessageSplitter((answer) => {
      if (isAnswerTo(query.bytes, query.questionEnd, answer)) found.resolve(answer);
    });
    socket.on('data', (chunk: Buffer) => splitter.push(chunk));
    socket.once('error', found.reject);
    socket.once('close', () => found.reject(new Error('connection closed')));
    socket.write(frameMessage(query.bytes));
    try {
      return await found.promise;
    } finally {
      clearTimeout(deadline);
      socket.destroy();
    }
  }
}
