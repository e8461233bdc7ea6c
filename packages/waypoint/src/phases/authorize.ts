// hot path: every request
import { applyJwt } from '../filters/jwt/jwt-authn.ts';
import type { HttpRequest } from '../request/http-request.ts';

/** Tokens, if the chain has a filter that verifies them. */
export function authenticate(
  request: HttpRequest,
  resume: (request: HttpRequest) => void,
): boolean {
  const { jwt } = request.connection.chain.filters;
  return jwt !== null && applyJwt(jwt, request, () => resume(request));
}

/** The chain's policy filters in order; the first refusal answers. */
export function authorize(request: HttpRequest): boolean {
  const reply = request.authorize();
  if (reply === null) return false;
  request.reply(reply);
  return true;
}
