/**
 * exec and attach over WebSocket (Kubernetes `remotecommand`, subprotocols v5 and v4 `.channel.k8s.io`): binary
 * messages whose first byte is the channel. 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 terminal size; v5 adds
 * 255, which closes the channel named by the next byte.
 */
import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ContainerRef, ExecSession, PodAccess } from '../cluster-client.ts';
import { exitStatus, failureStatus } from './pod-target.ts';
import { terminalSize } from './terminal-size.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

/** What the server offers, best first. */
export const EXEC_PROTOCOLS: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** Bytes waiting in the socket before the command's output is paused. */
const HIGH_WATER_BYTES = 1024 * 1024;

function send(socket: WebSocket, channel: number, data: Uint8Array | string): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(data)]));
}

function pump(source: Readable | null, channel: number, socket: WebSocket): Promise<void> {
  if (source === null) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  source.on('data', (chunk: Buffer) => {
    if (socket.readyState !== socket.OPEN) return;
    const paused = socket.bufferedAmount > HIGH_WATER_BYTES;
    if (paused) source.pause();
    socket.send(Buffer.concat([Buffer.of(channel), chunk]), () => {
      if (paused) source.resume();
    });
  });
  source.on('close', resolve);
  source.on('error', () => resolve());
  return promise;
}

function receive(session: ExecSession, message: Buffer, socket: WebSocket): void {
  const [channel, second] = message;
  const payload = message.subarray(1);
  if (channel === STDIN) toStdin(session, payload, socket);
  else if (channel === CLOSE && second === STDIN) session.stdin?.end();
  else if (channel === RESIZE) {
    const size = terminalSize(payload.toString());
    if (size !== null) session.resize(size.columns, size.rows);
  }
}

/** Reads on only when the command took what there was. */
function toStdin({ stdin }: ExecSession, payload: Buffer, socket: WebSocket): void {
  if (stdin === null || stdin.writableEnded || stdin.destroyed || stdin.write(payload)) return;
  socket.pause();
  const resume = (): void => socket.resume();
  stdin.once('drain', resume).once('close', resume);
}

function toBuffer(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** Runs the command and ends the socket with its Status. Never throws: a failure is told on the error channel. */
export async function serveExec(
  socket: WebSocket,
  podAccess: PodAccess,
  ref: ContainerRef,
  query: URLSearchParams,
): Promise<void> {
  const early: Buffer[] = [];
  let session: ExecSession | null = null;
  socket.on('message', (data) => {
    const message = toBuffer(data);
    if (session === null) early.push(message);
    else receive(session, message, socket);
  });
  // Frames that are none end this connection, and nothing else.
  socket.on('error', () => socket.terminate());
  socket.on('close', () => session?.kill());
  try {
    session = await podAccess.exec(ref, {
      command: query.getAll('command'),
      stdin: query.get('stdin') === 'true',
      tty: query.get('tty') === 'true',
    });
    // The command may end before it has read everything.
    session.stdin?.on('error', () => undefined);
    for (const message of early) receive(session, message, socket);
    const outputs = [pump(session.stdout, STDOUT, socket), pump(session.stderr, STDERR, socket)];
    const code = await session.exitCode;
    await Promise.all(outputs);
    send(socket, ERROR, JSON.stringify(exitStatus(code)));
  } catch (cause) {
    send(socket, ERROR, JSON.stringify(failureStatus(cause)));
  }
  socket.close(1000);
}
