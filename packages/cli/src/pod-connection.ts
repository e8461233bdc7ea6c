import { Duplex, PassThrough } from 'node:stream';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';

/** Which pod. */
export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * A connection to a port of a pod, through the API server's port-forward. It ends with what the other side says was wrong, such
 * as that nobody listens there.
 */
export async function connectToPod(
  { portForward }: Cluster,
  { namespace, name }: PodName,
  port: number,
): Promise<Duplex> {
  const toPod = new PassThrough();
  const fromPod = new PassThrough();
  const errors = new PassThrough();
  const socket = await portForward
    .portForward(namespace, name, [port], fromPod, errors, toPod)
    .catch((error: unknown) => {
      throw new CliError(`port-forward to ${namespace}/${name} failed: ${String(error)}`);
    });
  const pair = { readable: fromPod, writable: toPod };
  const stream = Duplex.from(pair as unknown as NodeJS.ReadableStream);
  errors.once('data', (text: Buffer) => stream.destroy(new CliError(text.toString().trim())));
  if (typeof socket !== 'function') {
    const deliver = socket.onmessage;
    socket.onmessage = (event) => {
      // A channel without data; the client would look for more, and end the process.
      if ((event.data as Buffer).length > 1) deliver?.call(socket, event);
    };
    socket.onclose = () => fromPod.end();
    stream.once('close', () => socket.close());
  }
  return stream;
}
