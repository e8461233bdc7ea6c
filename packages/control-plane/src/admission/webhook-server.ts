/** The webhooks that the API server calls (spec control-plane 3.1: 15017), over TLS. */

import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { BoundAdminServer } from '../admin/admin-server.ts';
import type { ServerCertificate } from '../ca/authority.ts';
import type { ServerIdentity } from '../ca/serving-certificate.ts';
import { answerReview } from './review.ts';

/** The largest object that the API server stores is 1.5 MiB, and a review has it twice. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const PATH = '/validate';

interface Answer {
  readonly status: number;
  readonly body: string;
}

export async function listenWebhooks(
  port: number,
  host: string,
  identity: ServerIdentity,
): Promise<BoundAdminServer> {
  const server = createServer(contextOf(identity.current), (request, response) => {
    const send = ({ status, body }: Answer): void => {
      const contentType = status === 200 ? 'application/json' : 'text/plain';
      response.writeHead(status, { 'content-type': contentType }).end(body);
    };
    review(request).then(send, () => send({ status: 500, body: 'internal error\n' }));
  });
  server.headersTimeout = TIMEOUT_MS;
  server.requestTimeout = TIMEOUT_MS;
  identity.subscribe((certificate) => server.setSecureContext(contextOf(certificate)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, stop: () => close(server) };
}

async function review(request: IncomingMessage): Promise<Answer> {
  const path = URL.parse(request.url ?? '/', 'https://localhost')?.pathname;
  if (path !== PATH) return { status: 404, body: 'not found\n' };
  if (request.method !== 'POST') return { status: 405, body: 'method not allowed\n' };
  if (request.headers['content-type'] !== 'application/json') {
    return { status: 415, body: 'a review is application/json\n' };
  }
  const text = await bodyOf(request);
  if (text === null) return { status: 413, body: `at most ${MAX_BODY_BYTES} bytes are read\n` };
  const answer = answerReview(text);
  return answer === null
    ? { status: 400, body: 'the body is no AdmissionReview\n' }
    : { status: 200, body: JSON.stringify(answer) };
}

/** Null if it is too long: the rest is read, so that the answer is, and not kept. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return length <= MAX_BODY_BYTES ? Buffer.concat(chunks).toString() : null;
}

function contextOf({ key, chain }: ServerCertificate) {
  return { key, cert: chain };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
