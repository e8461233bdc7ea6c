/** `/debug/…` over HTTP: for whoever is on this machine, and for accounts of the cluster that show a token. */
import { Metadata } from '@grpc/grpc-js';
import type { Authenticate } from '../../push/authenticate.ts';
import { type AdminAnswer, type AdminRequest, plain } from '../admin-server.ts';
import { type DebugSource, debugPage } from './debug-pages.ts';
import { isLoopback, OPERATOR, type Viewer, viewerOf } from './viewer.ts';

export interface HttpDebugDeps {
  readonly source: DebugSource;
  readonly authenticate: Authenticate;
  readonly systemNamespace: string;
}

const PREFIX = '/debug/';

/** Null for other paths. */
export async function httpDebug(
  request: AdminRequest,
  deps: HttpDebugDeps,
): Promise<AdminAnswer | null> {
  if (!request.path.startsWith(PREFIX)) return null;
  const viewer = await viewerBehind(request, deps);
  if (viewer === null) return plain(401, 'a token of an account of the cluster is needed');
  const target = `${request.path.slice(PREFIX.length)}${request.search}`;
  const answer = debugPage(target, viewer, deps.source);
  if (answer.kind === 'refused') return plain(answer.status, answer.message);
  const body = `${JSON.stringify(answer.body, null, 2)}\n`;
  return { status: 200, contentType: 'application/json', body };
}

async function viewerBehind(
  { remoteAddress, authorization }: AdminRequest,
  { authenticate, systemNamespace }: HttpDebugDeps,
): Promise<Viewer | null> {
  if (isLoopback(remoteAddress)) return OPERATOR;
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  const caller = await authenticate(metadata);
  return caller.ok && caller.value !== null ? viewerOf(caller.value, systemNamespace) : null;
}
