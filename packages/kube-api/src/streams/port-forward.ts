/** port-forward: for each connection at the client a pair of SPDY streams, `data` and `error`, with the port. */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContainerRef, PodAccess } from '../cluster-client.ts';
import { SpdyConnection, type SpdyStream } from './spdy/connection.ts';

/** The subprotocol of SPDY. */
export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
/** The same streams, with SPDY's bytes in WebSocket messages (kubectl from 1.31). */
export const TUNNELED_PORT_FORWARD_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
}

async function forward(
  { data, error }: Required<Pair>,
  podAccess: PodAccess,
  ref: ContainerRef,
): Promise<void> {
  const port = Number(data.headers.get('port'));
  try {
    const target = await podAccess.portForward(ref, port);
    await Promise.all([pipeline(data, target), pipeline(target, data)]);
    error.end();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    error.end(`error forwarding port ${port} to pod ${ref.pod}: ${why}`);
    data.destroy();
  }
}

/** Serves port-forwards on one connection until it ends. */
export async function servePortForward(
  socket: Duplex,
  podAccess: PodAccess,
  ref: ContainerRef,
): Promise<void> {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(socket, (stream) => {
    const id = stream.headers.get('requestid') ?? '';
    const pair = pairs.get(id) ?? {};
    pairs.set(id, pair);
    if (stream.headers.get('streamtype') === 'error') pair.error = stream;
    else pair.data = stream;
    const { data, error } = pair;
    if (data === undefined || error === undefined) return;
    pairs.delete(id);
    void forward({ data, error }, podAccess, ref);
  });
  await connection.run();
}
