/** SPDY/3 name/value blocks, compressed over the whole life of a connection. */
import type { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { headerDictionary } from './dictionary.ts';

/** Header names are in lower case. */
export type SpdyHeaders = ReadonlyMap<string, string>;

const options = { dictionary: headerDictionary, flush: constants.Z_SYNC_FLUSH };

/** A header block larger than this, once inflated, is no header of a Kubernetes client. */
const MAX_BLOCK_BYTES = 256 * 1024;

function readBlock(bytes: Buffer): SpdyHeaders {
  let at = 0;
  const next = (): number => {
    const value = bytes.readUInt32BE(at);
    at += 4;
    return value;
  };
  const text = (): string => {
    const length = next();
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const headers = new Map<string, string>();
  for (let left = next(); left > 0; left--) headers.set(text().toLowerCase(), text());
  return headers;
}

/** Passes bytes through a zlib stream that flushes after each write, and returns all that came out. */
async function transform(zlib: Duplex, bytes: Buffer): Promise<Buffer> {
  const output: Buffer[] = [];
  const collect = (chunk: Buffer): void => void output.push(chunk);
  zlib.on('data', collect);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  zlib.write(bytes, (error) => (error ? reject(error) : resolve()));
  try {
    await promise;
  } finally {
    zlib.off('data', collect);
  }
  return Buffer.concat(output);
}

/** One for each connection and its both directions. */
export class HeaderCodec {
  readonly #inflate = createInflate(options);
  readonly #deflate = createDeflate(options);

  constructor() {
    // Errors reach the callbacks of `write`; without a listener they would also end the process.
    this.#inflate.on('error', () => undefined);
    this.#deflate.on('error', () => undefined);
  }

  /** Rejects if the block does not inflate or is too large. Blocks must be decoded in the order of their frames. */
  async decode(block: Buffer): Promise<SpdyHeaders> {
    const inflated = await transform(this.#inflate, block);
    if (inflated.length > MAX_BLOCK_BYTES) throw new Error('SPDY header block is too large');
    return readBlock(inflated);
  }

  /** A block without headers: all that this server ever replies. */
  encodeEmpty(): Promise<Buffer> {
    return transform(this.#deflate, Buffer.alloc(4));
  }

  close(): void {
    this.#inflate.close();
    this.#deflate.close();
  }
}
