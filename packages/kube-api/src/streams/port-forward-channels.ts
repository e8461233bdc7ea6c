/**
 * port-forward over plain WebSocket (`v4.channel.k8s.io`, what client libraries speak): binary messages whose first
 * byte is the channel. The i-th port asked for has the channels 2i (data) and 2i+1 (error); the server's first message
 * on each carries the port, 2 bytes little endian. One connection per port; the WebSocket ends with the last of them.
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ContainerRef, PodAccess } from '../cluster-client.ts';
import { badRequest } from '../status.ts';

/** The subprotocol of the channels. */
export const CHANNEL_PORT_FORWARD_PROTOCOL = 'v4.channel.k8s.io';

/** Bytes waiting in the socket before the pod's side is paused. */
const HIGH_WATER_BYTES = 1024 * 1024;
const MAX_PORTS = 100;

/** The ports of the query (`ports=80&ports=81` or `ports=80,81`), each 1 to 65535. Throws 400. */
export function forwardedPorts(query: URLSearchParams): readonly number[] {
  const texts = query.getAll('ports').flatMap((value) => value.split(','));
  const ports = texts.map((text) => (/^\d{1,5}$/.test(text) ? Number(text) : 0));
  const wrong = ports.findIndex((port) => port < 1 || port > 65_535);
  if (wrong !== -1) throw badRequest(`query parameter "ports": ${texts[wrong]} is not a port`);
  if (ports.length === 0) throw badRequest('query parameter "ports" is required');
  if (ports.length > MAX_PORTS) throw badRequest(`query parameter "ports": at most ${MAX_PORTS}`);
  return ports;
}

function send(webSocket: WebSocket, channel: number, data: Uint8Array | string): void {
  if (webSocket.readyState !== webSocket.OPEN) return;
  webSocket.send(Buffer.concat([Buffer.of(channel), Buffer.from(data)]));
}

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  return bytes;
}

function pump(target: Duplex, channel: number, webSocket: WebSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  target.on('data', (chunk: Buffer) => {
    if (webSocket.readyState !== webSocket.OPEN) return;
    const paused = webSocket.bufferedAmount > HIGH_WATER_BYTES;
    if (paused) target.pause();
    webSocket.send(Buffer.concat([Buffer.of(channel), chunk]), () => {
      if (paused) target.resume();
    });
  });
  target.once('end', resolve).once('close', resolve).once('error', reject);
  return promise;
}

function deliver(webSocket: WebSocket, targets: readonly (Duplex | null)[], message: Buffer): void {
  const channel = message[0] ?? 0;
  const target = channel % 2 === 0 ? targets[channel / 2] : null;
  if (target === null || target === undefined || target.destroyed) return;
  if (target.write(message.subarray(1))) return;
  webSocket.pause();
  target.once('drain', () => webSocket.resume());
}

/** Serves the ports until their connections or the WebSocket end. Never throws: failures go to the error channels. */
export async function serveChannelPortForward(
  webSocket: WebSocket,
  podAccess: PodAccess,
  ref: ContainerRef,
  ports: readonly number[],
): Promise<void> {
  const fail = (index: number, cause: unknown): void => {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `error forwarding port ${ports[index]} to pod ${ref.pod}: ${why}`;
    send(webSocket, 2 * index + 1, text);
  };
  const open = async (port: number, index: number): Promise<Duplex | null> => {
    try {
      const target = await podAccess.portForward(ref, port);
      // Before anything else listens: it may fail at any time.
      target.on('error', () => undefined);
      return target;
    } catch (cause) {
      fail(index, cause);
      return null;
    }
  };
  // What the client sends meanwhile waits in the paused socket.
  webSocket.pause();
  webSocket.on('error', () => webSocket.terminate());
  for (const [index, port] of ports.entries()) {
    send(webSocket, 2 * index, portBytes(port));
    send(webSocket, 2 * index + 1, portBytes(port));
  }
  const targets = await Promise.all(ports.map(open));
  webSocket.on('message', (data) => deliver(webSocket, targets, data as Buffer));
  const release = (): void => {
    for (const target of targets) target?.destroy();
  };
  webSocket.on('close', release);
  if (webSocket.readyState === webSocket.CLOSED) release();
  const ends = targets.map((target, index) =>
    target === null
      ? Promise.resolve()
      : pump(target, 2 * index, webSocket).catch((cause: unknown) => fail(index, cause)),
  );
  webSocket.resume();
  await Promise.all(ends);
  webSocket.close(1000);
}
