/** exec and attach over SPDY (kubectl up to 1.29): a stream each for stdin, stdout, stderr, error and terminal size. */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContainerRef, ExecSession, PodAccess } from '../cluster-client.ts';
import { exitStatus, failureStatus } from './pod-target.ts';
import { SpdyConnection, type SpdyStream } from './spdy/connection.ts';
import { terminalSize } from './terminal-size.ts';

/** The error stream carries a Status; older protocols are not spoken. */
export const SPDY_EXEC_PROTOCOL = 'v4.channel.k8s.io';

/** How long the client has to open the streams it asked for. */
const STREAMS_DEADLINE_MS = 30_000;

type Streams = ReadonlyMap<string, SpdyStream>;

function expectedStreams(query: URLSearchParams): string[] {
  const asked = ['stdin', 'stdout', 'stderr'].filter((name) => query.get(name) === 'true');
  return ['error', ...asked, ...(query.get('tty') === 'true' ? ['resize'] : [])];
}

function followSize(stream: SpdyStream | undefined, session: ExecSession): void {
  stream?.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n')) {
      const size = terminalSize(line);
      if (size !== null) session.resize(size.columns, size.rows);
    }
  });
}

async function copyOut(
  source: NodeJS.ReadableStream | null,
  target: SpdyStream | undefined,
): Promise<void> {
  if (source === null || target === undefined) return;
  // The client may leave before the command has said everything.
  await pipeline(source, target).catch(() => undefined);
}

async function runCommand(
  streams: Streams,
  podAccess: PodAccess,
  ref: ContainerRef,
  query: URLSearchParams,
): Promise<void> {
  const errorStream = streams.get('error');
  try {
    const session = await podAccess.exec(ref, {
      command: query.getAll('command'),
      stdin: query.get('stdin') === 'true',
      tty: query.get('tty') === 'true',
    });
    errorStream?.on('close', () => session.kill());
    followSize(streams.get('resize'), session);
    const stdin = streams.get('stdin');
    if (stdin !== undefined && session.stdin !== null) {
      void pipeline(stdin, session.stdin).catch(() => undefined);
    }
    const outputs = [
      copyOut(session.stdout, streams.get('stdout')),
      copyOut(session.stderr, streams.get('stderr')),
    ];
    const code = await session.exitCode;
    await Promise.all(outputs);
    errorStream?.end(JSON.stringify(exitStatus(code)));
  } catch (cause) {
    errorStream?.end(JSON.stringify(failureStatus(cause)));
  }
}

/** Serves one exec on an upgraded connection, to its end. */
export async function serveSpdyExec(
  socket: Duplex,
  podAccess: PodAccess,
  ref: ContainerRef,
  query: URLSearchParams,
): Promise<void> {
  const expected = expectedStreams(query);
  const streams = new Map<string, SpdyStream>();
  const deadline = setTimeout(() => socket.destroy(), STREAMS_DEADLINE_MS);
  const connection = new SpdyConnection(socket, (stream) => {
    streams.set(stream.headers.get('streamtype') ?? '', stream);
    if (!expected.every((name) => streams.has(name))) return;
    clearTimeout(deadline);
    void runCommand(streams, podAccess, ref, query).finally(() => connection.end());
  });
  try {
    await connection.run();
  } finally {
    clearTimeout(deadline);
  }
}
