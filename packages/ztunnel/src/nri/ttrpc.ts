import {
  RequestSchema,
  type Response,
  ResponseSchema,
} from '@aquifer/wire/gen/containerd/ttrpc_pb';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { ChannelId, Mux } from './mux.ts';

/** Length, stream id, type, flags: 32, 32, 8 and 8 bits, big endian. */
const HEADER_BYTES = 10;
const MAX_MESSAGE_BYTES = 4 << 20;
const TYPE = { request: 1, response: 2 } as const;
/** Numbers of gRPC. */
const CODE = { ok: 0, unknown: 2, unimplemented: 12 } as const;

interface Frame {
  readonly streamId: number;
  readonly type: number;
  readonly payload: Buffer;
}

/** Frames of one channel; throws for one that is too large. */
function onFrames(mux: Mux, channel: ChannelId, onFrame: (frame: Frame) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  mux.read(channel, (bytes) => {
    let rest = Buffer.concat([pending, bytes]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(0);
      if (length > MAX_MESSAGE_BYTES) throw new Error(`a message of ${length} bytes`);
      if (rest.length < HEADER_BYTES + length) break;
      const payload = rest.subarray(HEADER_BYTES, HEADER_BYTES + length);
      onFrame({ streamId: rest.readUInt32BE(4), type: rest[8]!, payload });
      rest = rest.subarray(HEADER_BYTES + length);
    }
    pending = Buffer.from(rest);
  });
}

function writeFrame(mux: Mux, channel: ChannelId, { streamId, type, payload }: Frame): void {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(payload.length, 0);
  header.writeUInt32BE(streamId, 4);
  header[8] = type;
  mux.write(channel, Buffer.concat([header, payload]));
}

/** Answers calls of the peer. A handler gets the request's bytes and gives the response's; what it throws is told the peer. */
export type TtrpcHandlers = Readonly<
  Record<string, (request: Uint8Array) => Promise<Uint8Array> | Uint8Array>
>;

/** Serves `service/method` names on a channel. */
export function serveTtrpc(mux: Mux, channel: ChannelId, handlers: TtrpcHandlers): void {
  onFrames(mux, channel, ({ streamId, type, payload }) => {
    if (type !== TYPE.request) return;
    const respond = (response: Response): void => {
      const bytes = Buffer.from(toBinary(ResponseSchema, response));
      writeFrame(mux, channel, { streamId, type: TYPE.response, payload: bytes });
    };
    answer(payload, handlers).then(respond, (error: unknown) => {
      respond(failure(CODE.unknown, (error as Error).message));
    });
  });
}

async function answer(bytes: Buffer, handlers: TtrpcHandlers): Promise<Response> {
  const { service, method, payload } = fromBinary(RequestSchema, bytes);
  const name = `${service}/${method}`;
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  if (handler === undefined) return failure(CODE.unimplemented, `${name} is not offered`);
  return create(ResponseSchema, { payload: await handler(payload) });
}

function failure(code: number, message: string): Response {
  return create(ResponseSchema, { status: { code, message } });
}

/** Calls the peer, once: the only call that the proxy makes is the first. Throws what the peer answered instead. */
export function callTtrpc(
  mux: Mux,
  channel: ChannelId,
  call: { readonly service: string; readonly method: string; readonly payload: Uint8Array },
): Promise<Uint8Array> {
  const result = Promise.withResolvers<Uint8Array>();
  onFrames(mux, channel, ({ type, payload: bytes }) => {
    if (type !== TYPE.response) return;
    const { status, payload } = fromBinary(ResponseSchema, bytes);
    if (status === undefined || status.code === CODE.ok) result.resolve(payload);
    else result.reject(new Error(status.message));
  });
  const request = Buffer.from(toBinary(RequestSchema, create(RequestSchema, call)));
  writeFrame(mux, channel, { streamId: 1, type: TYPE.request, payload: request });
  return result.promise;
}
