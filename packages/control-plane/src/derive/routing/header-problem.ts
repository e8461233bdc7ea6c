/** What no route may do to headers: a proxy would refuse its whole configuration for it, that of other routes included. */
import { isConnectionField, isFieldValue } from '@aquifer/wire';
import type { HeaderValue } from './route-rule.ts';

/** Names the header at fault among those that are set or added; null without one. */
export function headerProblem(headers: readonly HeaderValue[]): string | null {
  for (const [name, value] of headers) {
    if (isConnectionField(name.toLowerCase())) return `header "${name}" is not for a route to set`;
    if (!isFieldValue(value)) return `value of header "${name}" holds control characters`;
  }
  return null;
}
