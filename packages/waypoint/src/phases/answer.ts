import type { RedirectTo } from '../compile/route.ts';
import type { HttpRequest } from '../request/http-request.ts';

const WELL_KNOWN_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

export function redirect(request: HttpRequest): boolean {
  const action = request.route?.action;
  if (action?.kind !== 'redirect') return false;
  const reply = {
    status: action.status,
    body: '',
    flag: '',
    details: 'direct_response',
    isOfRoute: true,
  };
  request.reply(reply, ['location', locationOf(request, action)]);
  return true;
}

function locationOf(request: HttpRequest, action: RedirectTo): string {
  const scheme = action.scheme ?? request.scheme;
  const path = action.path === null ? request.target : action.path(request.target);
  return `${scheme}://${authorityOf(request, action)}${path}`;
}

/** The client's own, with its port, unless the redirect has another; a port of its scheme is not said. */
function authorityOf({ authority }: HttpRequest, { scheme, host, port }: RedirectTo): string {
  const [, own = '', ownPort] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  if (port !== null) return `${host ?? own}:${port}`;
  if (host !== null) return host;
  return isImplied(scheme, ownPort) ? own : authority;
}

/** `http://a:443` redirected to https loses its port, and the other way round. */
function isImplied(scheme: string | null, port: string | undefined): boolean {
  return (
    port !== undefined &&
    scheme !== null &&
    WELL_KNOWN_PORT[scheme === 'https' ? 'http' : 'https'] === Number(port)
  );
}

export function respondDirectly(request: HttpRequest): boolean {
  const action = request.route?.action;
  if (action?.kind !== 'direct') return false;
  const { status, body } = action;
  request.reply({ status, body, flag: '', details: 'direct_response', isOfRoute: true });
  return true;
}
