import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** As clients wait before they ask again. */
const TIMEOUT_MS = 5_000;

/** A server that knows other names. */
export interface UpstreamDns {
  readonly host: string;
  readonly port: number;
}

/** The first server in the text of a resolv.conf, or null. */
export function upstreamOf(resolvConf: string): UpstreamDns | null {
  const host = /^\s*nameserver\s+(\S+)/m.exec(resolvConf)?.[1];
  return host === undefined ? null : { host, port: 53 };
}

/** Whom this machine asks; null if it asks nobody. */
export function machineDns(): UpstreamDns | null {
  const file = '/etc/resolv.conf';
  return existsSync(file) ? upstreamOf(readFileSync(file, 'utf8')) : null;
}

/** Its answer to a query, over TCP, which carries answers of every length; null when there is none in time. */
export function askUpstream(query: Buffer, { host, port }: UpstreamDns): Promise<Buffer | null> {
  const { promise, resolve } = Promise.withResolvers<Buffer | null>();
  const socket = connect({ host, port });
  let received = Buffer.alloc(0);
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(null));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const end = received.length < 2 ? Number.POSITIVE_INFINITY : 2 + received.readUInt16BE(0);
    if (received.length < end) return;
    resolve(received.subarray(2, end));
    socket.destroy();
  });
  socket.write(withLength(query));
  return promise;
}

/** A message as TCP carries it: after its length in two bytes (RFC 1035 4.2.2). */
export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
