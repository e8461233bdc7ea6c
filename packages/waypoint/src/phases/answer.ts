import type { RedirectTo } from '../compile/route.ts';
import type { HttpRequest } from '../request/http-request.ts';

const WELL_KNOWN_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

export function redirect(request: HttpRequest): boolean {
  const action = request.route?.action;
  if (action?.kind !== 'redirect') return false;
  const reply = { status: action.status, body: '', flag: '', details: 'direct_response' };
  request.reply(reply, ['location', locationOf(request, action)]);
  return true;
}

function locationOf(request: HttpRequest, action: RedirectTo): string {
  const original = request.header('x-forwarded-proto') ?? 'http';
  const scheme = action.scheme ?? original;
  const [host = '', ownPort] = request.authority.split(':');
  const port = action.port ?? (action.scheme === null && action.host === null ? ownPort : null);
  const isImplied = port === null || port === undefined || WELL_KNOWN_PORT[scheme] === Number(port);
  const authority = `${action.host ?? host}${isImplied ? '' : `:${port}`}`;
  const path = action.path === null ? request.target : action.path(request.target);
  return `${scheme}://${authority}${path}`;
}

export function respondDirectly(request: HttpRequest): boolean {
  const action = request.route?.action;
  if (action?.kind !== 'direct') return false;
  const { status, body } = action;
  request.reply({ status, body, flag: '', details: 'direct_response' });
  return true;
}
