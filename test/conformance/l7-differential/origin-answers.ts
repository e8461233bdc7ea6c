import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, bodyOf, type Place, piecesOf } from './cases.ts';
import type { Http2Wire } from './http2-wire.ts';

/** What of an answer is sent, in any version. */
interface Parts {
  /** Of HEAD, 204 and 304 there is none, whatever their heads say. */
  readonly isBodiless: boolean;
  /** Without the last byte where it is to be missing. */
  readonly pieces: readonly Buffer[];
  readonly trailers: readonly string[];
  /** It does not come to its end. */
  readonly stops: boolean;
}

function partsOf(answer: Answer, method: string): Parts {
  const { status, end } = answer;
  const isBodiless = method === 'HEAD' || status === 204 || status === 304;
  const stops = end.kind === 'cut' || end.kind === 'silent';
  const whole = isBodiless || answer.bytes === 0 ? [] : piecesOf(bodyOf(answer.bytes), answer.cuts);
  const pieces = whole.map((piece, i) =>
    stops && i === whole.length - 1 ? piece.subarray(0, piece.length - 1) : piece,
  );
  return { isBodiless, pieces, trailers: isBodiless ? [] : answer.trailers.flat(), stops };
}

/** Says over HTTP/1.1 what the answer to a request of this method is to be. */
export async function answerHttp1(socket: Socket, answer: Answer, method: string): Promise<void> {
  const { end, framing } = answer;
  for (const interim of answer.interim) {
    socket.write(`HTTP/1.1 ${interim} Interim\r\nx-hint: 1\r\n\r\n`);
  }
  if (stopsAt(socket, answer, 'before-head')) return;
  const parts = partsOf(answer, method);
  const lines = headLines(answer).map((line) => `${line}\r\n`);
  socket.write(`HTTP/1.1 ${answer.status} Status\r\n${lines.join('')}\r\n`, 'latin1');
  if (stopsAt(socket, answer, 'after-head')) return;
  if (framing === 'chunks') await sendChunks(socket, parts);
  else await sendPieces(socket, parts);
  if (stopsAt(socket, answer, 'in-body')) return;
  if (framing === 'chunks' && !parts.isBodiless) {
    const fields = answer.trailers.map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`0\r\n${fields.join('')}\r\n`);
  }
  if (end.kind === 'last' || framing === 'until-close') socket.end();
}

function headLines({ end, status, framing, fields, bytes }: Answer): string[] {
  const lines = fields.map(([name, value]) => `${name}: ${value}`);
  const isFramed = status !== 204;
  if (isFramed && framing === 'length') lines.push(`content-length: ${bytes}`);
  if (isFramed && framing === 'chunks') lines.push('transfer-encoding: chunked');
  const closes = end.kind === 'last' || (isFramed && framing === 'until-close');
  if (closes) lines.push('connection: close');
  return lines;
}

async function sendPieces(socket: Socket, { pieces }: Parts): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece);
    await delay(1);
  }
}

/** The last one is a byte short of what it says where the answer stops. */
async function sendChunks(socket: Socket, { pieces, stops }: Parts): Promise<void> {
  for (const [i, piece] of pieces.entries()) {
    const isShort = stops && i === pieces.length - 1;
    const said = isShort ? piece.length + 1 : piece.length;
    socket.write(`${said.toString(16)}\r\n`);
    socket.write(piece);
    if (!isShort) socket.write('\r\n');
    await delay(1);
  }
}

/** True if the answer goes no further than this. */
function stopsAt(socket: Socket, { end }: Answer, place: Place): boolean {
  if (end.kind === 'whole' || end.kind === 'last' || end.at !== place) return false;
  if (end.kind === 'silent') return true;
  // What has been written arrives first.
  if (end.by === 'end') socket.end();
  else void delay(place === 'before-head' ? 0 : 10).then(() => socket.resetAndDestroy());
  return true;
}

/** The same on a stream of HTTP/2. */
export async function answerHttp2(
  wire: Http2Wire,
  stream: number,
  { answer, method }: { readonly answer: Answer; readonly method: string },
): Promise<void> {
  const { end } = answer;
  for (const interim of answer.interim) {
    wire.headers(stream, [':status', String(interim), 'x-hint', '1'], false);
  }
  if (streamStopsAt(wire, stream, answer, 'before-head')) return;
  const parts = partsOf(answer, method);
  const { pieces, trailers, stops } = parts;
  const isHeadAlone = pieces.length === 0 && trailers.length === 0 && !stops;
  // Before its answer ends: nobody sends another request on this connection.
  if (end.kind === 'last') wire.goaway(stream, 0);
  wire.headers(stream, headFields(answer), isHeadAlone);
  if (streamStopsAt(wire, stream, answer, 'after-head')) return;
  if (!isHeadAlone) await sendData(wire, stream, parts);
  if (streamStopsAt(wire, stream, answer, 'in-body')) return;
  if (trailers.length > 0) wire.headers(stream, trailers, true);
  if (end.kind !== 'last') return;
  await delay(5);
  wire.socket.end();
}

function headFields({ status, fields, framing, bytes }: Answer): string[] {
  const saysLength = framing === 'length' && status !== 204;
  const length = saysLength ? ['content-length', String(bytes)] : [];
  return [':status', String(status), ...fields.flat(), ...length];
}

async function sendData(wire: Http2Wire, stream: number, parts: Parts): Promise<void> {
  const { trailers, stops } = parts;
  const endsStream = !stops && trailers.length === 0;
  const pieces = parts.pieces.length === 0 ? [Buffer.alloc(0)] : parts.pieces;
  for (const [i, piece] of pieces.entries()) {
    await wire.data(stream, piece, endsStream && i === pieces.length - 1);
    await delay(1);
  }
}

function streamStopsAt(wire: Http2Wire, stream: number, answer: Answer, place: Place): boolean {
  const { end } = answer;
  if (end.kind !== 'cut' || end.at !== place || typeof end.by === 'string') {
    return stopsAt(wire.socket, answer, place);
  }
  wire.reset(stream, end.by);
  return true;
}
