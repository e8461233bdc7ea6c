/** Who sends a request: a client certificate, a service account token, or nobody. Impersonation on top. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { ApiStatusError } from '../api-status-error.ts';
import type { UserInfo } from '../objects/write-request.ts';
import { ISSUER, type Tokens } from './tokens.ts';

const anonymous: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function certificateUser(request: IncomingMessage): UserInfo | null {
  const { socket } = request;
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { subject } = socket.getPeerCertificate();
  const username = first(subject?.CN);
  if (username === undefined) return null;
  const groups = [subject.O ?? []].flat();
  return { username, groups: [...groups, 'system:authenticated'] };
}

/** Throws 401 for a token that is not accepted; a request without credentials is anonymous. */
async function credentialUser(request: IncomingMessage, tokens: Tokens): Promise<UserInfo> {
  const certified = certificateUser(request);
  if (certified !== null) return certified;
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer === undefined) return anonymous;
  const verified = await tokens.verify(bearer, [ISSUER]);
  if (verified === null) throw new ApiStatusError(401, 'Unauthorized', 'Unauthorized');
  return verified.user;
}

/** The service account's groups, or those that were asked for. */
function impersonatedGroups(username: string, asked: readonly string[]): string[] {
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(username);
  const implied =
    account === null ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`];
  return [...(asked.length > 0 ? asked : implied), 'system:authenticated'];
}

/** The outcome of authentication. */
export interface Authenticated {
  readonly user: UserInfo;
  /** Who really asks, when they act as somebody else. */
  readonly impersonator: UserInfo | null;
}

/** Throws 401 for a token that is not accepted. */
export async function authenticate(
  request: IncomingMessage,
  tokens: Tokens,
): Promise<Authenticated> {
  const user = await credentialUser(request, tokens);
  const username = first(request.headers['impersonate-user']);
  if (username === undefined) return { user, impersonator: null };
  const groups = request.headersDistinct['impersonate-group'] ?? [];
  return {
    user: { username, groups: impersonatedGroups(username, groups) },
    impersonator: user,
  };
}
