/** What VirtualServices do to headers (spec l7 1.8, recording l7/09). */
import type { VirtualServiceHttpRoute } from '@aquifer/model/resources';
import type { HeaderChanges, HeaderOperations, HeaderValue } from './route-rule.ts';

type Headers = NonNullable<VirtualServiceHttpRoute['headers']>;
type Operations = NonNullable<Headers['request']>;

export function headerChanges({ request, response }: Headers = {}): HeaderChanges {
  return { request: operations(request), response: operations(response) };
}

function operations({ set, add, remove = [] }: Operations = {}): HeaderOperations {
  return {
    set: values(set),
    add: values(add),
    remove: remove.filter((name) => !isInternal(name)),
  };
}

function values(headers: Operations['set'] = {}): HeaderValue[] {
  return Object.entries(headers)
    .filter(([name]) => !isInternal(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Not for a header option to change: Envoy refuses a configuration that does. */
function isInternal(name: string): boolean {
  return name.startsWith(':') || name.toLowerCase() === 'host';
}

/** The authority that a request is given by its headers; null leaves its own. */
export function newAuthority({ request }: Headers = {}): string | null {
  const said = [request?.set, request?.add].flatMap((headers = {}) =>
    Object.entries(headers).filter(([name]) => [':authority', 'host'].includes(name.toLowerCase())),
  );
  return said[0]?.[1] || null;
}
