// hot path: every request
import type { HttpRequest } from '../request/http-request.ts';
import { denied } from '../request/outcome.ts';

/** The chain's policy filters in order; the first refusal answers. */
export function authorize(request: HttpRequest): boolean {
  const { authorization } = request.connection.chain;
  for (const filter of authorization) {
    const policy = filter(request);
    if (policy === null) continue;
    request.reply(denied(policy));
    return true;
  }
  return false;
}
