import * as grpc from '@grpc/grpc-js';
import type { Link, LinkEvents } from './conversation.ts';
import { REQUEST_TIMEOUT_MS } from './http1-requests.ts';
import type { Tally } from './tally.ts';

const raw = (bytes: Buffer): Buffer => bytes;
const MESSAGE = Buffer.from('hello');

/** One channel, as an application has it. */
function connect(authority: string): grpc.Client {
  // Otherwise all channels of the process share one connection.
  const options = { 'grpc.use_local_subchannel_pool': 1 };
  return new grpc.Client(authority, grpc.credentials.createInsecure(), options);
}

/** Unary calls, all on one channel. */
export class UnaryCalls {
  readonly #client: grpc.Client;
  readonly #tally: Tally;

  constructor(authority: string, tally: Tally) {
    this.#client = connect(authority);
    this.#tally = tally;
  }

  readonly start = (intendedAtMs: number): void => {
    const deadline = Date.now() + REQUEST_TIMEOUT_MS;
    this.#client.makeUnaryRequest('/echo.Echo/Say', raw, raw, MESSAGE, { deadline }, (error) => {
      if (error === null) this.#tally.ok('grpc-unary', intendedAtMs);
      else this.#tally.failed('grpc-unary', intendedAtMs, error.message);
    });
  };
}

/**
 * A bidirectional stream on a channel of its own. That its connection will end (GOAWAY) shows in the state of the channel:
 * streams that are open go on, and the channel is not ready any more.
 */
export function openStream(authority: string, events: LinkEvents): Link {
  const client = connect(authority);
  const stream = client.makeBidiStreamRequest('/echo.Echo/Chat', raw, raw);
  stream.on('metadata', () => events.onOpen());
  stream.on('data', (message: Buffer) => events.onMessage(message.toString()));
  stream.on('error', () => undefined);
  let isOver = false;
  stream.on('status', ({ code, details }: grpc.StatusObject) => {
    isOver = true;
    client.close();
    const isOrderly = code === grpc.status.OK || details.startsWith('the server ends');
    events.onEnd(isOrderly ? 'closed' : 'cut', `${grpc.status[code]} ${details}`);
  });
  const watch = (): void => {
    const state = client.getChannel().getConnectivityState(false);
    client.getChannel().watchConnectivityState(state, Number.POSITIVE_INFINITY, (error) => {
      if (isOver || error !== undefined) return;
      if (state === grpc.connectivityState.READY) events.onAnnounced();
      else watch();
    });
  };
  watch();
  return {
    send: (text) => void stream.write(Buffer.from(text)),
    finish: () => void stream.end(),
  };
}
