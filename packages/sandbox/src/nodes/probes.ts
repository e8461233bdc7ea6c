/** One attempt of a probe, as the kubelet makes it. */
import { request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container, Probe } from '@aquifer/model/resources';

/** What a probe or a lifecycle hook may do; hooks have no `grpc`. */
export type ProbeAction = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'>;

export interface ProbeTarget {
  /** The pod's address. */
  readonly address: string;
  readonly container: Container;
  /** Runs a command inside the container; resolves with its exit code and output. */
  readonly exec: (
    command: readonly string[],
    timeoutMs: number,
  ) => Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Makes the others, which must come from the node's own network. */
  readonly network: (probe: NetworkProbe) => Promise<string | null>;
}

/** A probe over the network, as plain data. */
export interface NetworkProbe {
  readonly action: Omit<ProbeAction, 'exec'>;
  /** The pod's address. */
  readonly address: string;
  readonly container: Pick<Container, 'name' | 'ports'>;
  readonly timeoutMs: number;
}

/** Null when the probe succeeded, else why it failed, in the kubelet's words. Never rejects. */
export async function attemptProbe(
  action: ProbeAction,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<string | null> {
  try {
    const { exec, ...rest } = action;
    if (exec !== undefined) return await probeExec(exec, target, timeoutMs);
    const { address, container } = target;
    const { name, ports } = container;
    const about = ports === undefined ? { name } : { name, ports };
    return await target.network({ action: rest, address, container: about, timeoutMs });
  } catch (error) {
    return (error as Error).message;
  }
}

/** As `attemptProbe`, from the network namespace of this process. */
export async function attemptNetworkProbe(probe: NetworkProbe): Promise<string | null> {
  const { action, timeoutMs } = probe;
  try {
    if (action.httpGet !== undefined) return await probeHttp(action.httpGet, probe);
    if (action.tcpSocket !== undefined) {
      const { host, port } = action.tcpSocket;
      const number = portNumber(port, probe.container);
      return await probeTcp(host ?? probe.address, number, timeoutMs);
    }
    if (action.grpc !== undefined) return await probeGrpc(action.grpc, probe);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

async function probeExec(
  exec: NonNullable<ProbeAction['exec']>,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<string | null> {
  const { exitCode, output } = await target.exec(exec.command ?? [], timeoutMs);
  return exitCode === 0 ? null : output.trim() || `command exited with code ${exitCode}`;
}

function probeHttp(
  get: NonNullable<ProbeAction['httpGet']>,
  { address, container, timeoutMs }: NetworkProbe,
): Promise<string | null> {
  const isTls = get.scheme === 'HTTPS';
  const port = portNumber(get.port, container);
  const host = get.host ?? address;
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.34', accept: '*/*' };
  for (const { name, value } of get.httpHeaders ?? []) headers[name] = value;
  const url = `${isTls ? 'https' : 'http'}://${host}:${port}${get.path ?? '/'}`;
  const failed = (reason: string): string => `Get "${url}": ${reason}`;
  return new Promise((resolve) => {
    const request = (isTls ? httpsRequest : httpRequest)(
      url,
      // As the kubelet: a probe is not where certificates are judged, and every attempt dials anew.
      { headers, agent: false, ...(isTls ? { rejectUnauthorized: false } : {}) },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        const isGood = status >= 200 && status < 400;
        resolve(isGood ? null : `HTTP probe failed with statuscode: ${status}`);
      },
    );
    request.setTimeout(timeoutMs, () => {
      resolve(failed('context deadline exceeded (Client.Timeout exceeded while awaiting headers)'));
      request.destroy();
    });
    request.on('error', (error) => resolve(failed(error.message)));
    request.end();
  });
}

function probeTcp(host: string, port: number, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (result: string | null): void => {
      resolve(result);
      socket.destroy();
    };
    socket.setTimeout(timeoutMs, () => end(`dial tcp ${host}:${port}: i/o timeout`));
    socket.on('connect', () => end(null));
    socket.on('error', (error) => end(`dial tcp ${host}:${port}: ${error.message}`));
  });
}

/** The response of grpc.health.v1.Health/Check that says SERVING: field 1, varint 1. */
const SERVING = Buffer.from([0x08, 0x01]);
const GRPC_FRAME_HEADER_BYTES = 5;

function probeGrpc(
  grpc: NonNullable<ProbeAction['grpc']>,
  { address, timeoutMs }: NetworkProbe,
): Promise<string | null> {
  const service = Buffer.from(grpc.service ?? '');
  const message =
    service.length === 0 ? service : Buffer.concat([Buffer.from([0x0a, service.length]), service]);
  const frame = Buffer.alloc(GRPC_FRAME_HEADER_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, GRPC_FRAME_HEADER_BYTES);
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${address}:${grpc.port}`);
    const end = (result: string | null): void => {
      resolve(result);
      session.destroy();
    };
    session.setTimeout(timeoutMs, () => end('timeout: health rpc did not complete in time'));
    session.on('error', (error) => end(`failed to connect service: ${error.message}`));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => end(error.message));
    stream.on('end', () => {
      const answer = Buffer.concat(chunks).subarray(GRPC_FRAME_HEADER_BYTES);
      end(answer.equals(SERVING) ? null : 'service unhealthy (responded with "NOT_SERVING")');
    });
    stream.end(frame);
  });
}

/** A number, or the number of the container's port of that name. Throws if it has none. */
function portNumber(port: number | string, container: NetworkProbe['container']): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (Number.isInteger(number)) return number;
  throw new Error(`couldn't find port: ${JSON.stringify(port)} in container ${container.name}`);
}
