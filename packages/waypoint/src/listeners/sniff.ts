import type { Duplex } from 'node:stream';

const REQUEST_LINE = /^[A-Z][A-Z0-9_-]{0,31} [\x21-\x7e]+/;
const METHOD_START = /^[A-Z][A-Z0-9_-]{0,31}( |$)/;
const HTTP2_PREFACE = 'PRI * HTTP/2.0';
const PEEK_BYTES = 64;

export type Protocol = 'http1' | 'http2' | 'tcp';

/** Looks at a stream's first bytes, which stay to be read. Protocols where the server speaks first look like TCP only
 * once the client has spoken, so they have to be declared (spec l7 0.8). */
export function sniffProtocol(stream: Duplex): Promise<Protocol> {
  return new Promise((resolve) => {
    const settle = (protocol: Protocol): void => {
      stream.off('readable', onReadable);
      stream.off('end', onEnd);
      stream.off('close', onEnd);
      resolve(protocol);
    };
    const onEnd = (): void => settle('tcp');
    const onReadable = (): void => {
      const chunk = stream.read() as Buffer | null;
      if (chunk === null) return;
      stream.unshift(chunk);
      const text = chunk.toString('latin1', 0, PEEK_BYTES);
      if (text.startsWith(HTTP2_PREFACE)) settle('http2');
      else settle(REQUEST_LINE.test(text) || METHOD_START.test(text) ? 'http1' : 'tcp');
    };
    stream.on('readable', onReadable);
    stream.once('end', onEnd);
    stream.once('close', onEnd);
  });
}
