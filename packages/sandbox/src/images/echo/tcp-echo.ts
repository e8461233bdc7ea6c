import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { patternStream } from './pattern.ts';

/** Longer than any first line that means something. */
const MAX_COMMAND_BYTES = 64;

/**
 * One TCP connection. A first line of `SINK` takes bytes until the client's FIN and then answers
 * `{"bytes":…,"sha256":…}`: half-close, end to end. `SOURCE <bytes>` sends so many bytes (see `patternStream`) and
 * closes its side. Anything else is echoed as it comes, the FIN included.
 */
export function serveTcp(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.once('data', (first: Buffer) => {
    socket.pause();
    const [, sink, size, rest] = commandOf(first);
    if (sink === undefined && size === undefined) {
      socket.unshift(first);
      void pipeline(socket, socket, { end: true }).catch(() => socket.destroy());
      return;
    }
    if (rest !== undefined) socket.unshift(Buffer.from(rest, 'latin1'));
    const done = sink === undefined ? send(socket, Number(size)) : receive(socket);
    done.catch(() => socket.destroy());
  });
}

function commandOf(first: Buffer): (string | undefined)[] {
  const isShort = first.subarray(0, MAX_COMMAND_BYTES).includes('\n');
  if (!isShort) return [];
  return /^(?:(SINK)|SOURCE (\d+))\r?\n([\s\S]*)$/.exec(first.toString('latin1')) ?? [];
}

async function receive(socket: Socket): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  socket.end(`${JSON.stringify({ bytes, sha256: hash.digest('hex') })}\n`);
}

async function send(socket: Socket, bytes: number): Promise<void> {
  socket.resume();
  await pipeline(patternStream(bytes), socket);
}
