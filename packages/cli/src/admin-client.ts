import { Agent, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';
import { connectToPod, type PodName } from './pod-connection.ts';

const TIMEOUT_MS = 15_000;

/** An answer other than 200. */
export class AdminPageError extends CliError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A page of a pod. */
export interface PodPage {
  readonly port: number;
  readonly path: string;
  /** Default: GET. */
  readonly method?: 'POST';
}

/** Asks for a page on a port of a pod, through the API server's port-forward; returns the body. */
export async function askPod(cluster: Cluster, pod: PodName, target: PodPage): Promise<string> {
  const where = `${pod.namespace}/${pod.name}`;
  const stream = await connectToPod(cluster, pod, target.port);
  const broken = Promise.withResolvers<never>();
  stream.once('error', broken.reject);
  try {
    return await Promise.race([ask(stream, target, where), broken.promise]);
  } finally {
    stream.destroy();
  }
}

function ask(stream: Duplex, { path, method }: PodPage, where: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const agent = new Agent();
    agent.createConnection = () => stream;
    const headers = { host: 'localhost', connection: 'close' };
    // Not setTimeout(): that is a socket's, and this is a stream through a WebSocket.
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const call = request({ path, method, agent, headers, signal });
    call.once('error', (error) => {
      reject(new CliError(`reading ${path} of ${where} failed: ${error.message}`));
    });
    call.once('response', (response) => {
      const { statusCode: status = 0 } = response;
      text(response).then((body) => {
        if (status === 200) resolve(body);
        else
          reject(
            new AdminPageError(status, `${path} of ${where} answered ${status}: ${body}`.trim()),
          );
      }, reject);
    });
    call.end();
  });
}
