/** What a request asks for, read from its method and path (apiserver `RequestInfo`). */
import { badRequest } from '../status.ts';

/** Method and path, understood. */
export interface RequestInfo {
  /** get, list, watch, create, update, patch, delete, deletecollection; for other paths the method in lower case. */
  readonly verb: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Null for a path that is no resource, such as `/version`. */
  readonly resource: ResourcePath | null;
}

/** The resource that a path names. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Empty for cluster-wide requests. */
  readonly namespace: string;
  /** Empty for collections. */
  readonly name: string;
  readonly subresource: string;
}

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const namespaceSubresources = new Set(['status', 'finalize']);

function splitResource(
  parts: readonly string[],
): Pick<ResourcePath, 'namespace' | 'plural' | 'name' | 'subresource'> | null {
  const [head, second, third] = parts;
  if (head === undefined) return null;
  const scoped = head === 'namespaces' && third !== undefined && !namespaceSubresources.has(third);
  const namespace = scoped ? (second ?? '') : '';
  const [plural = '', name = '', ...rest] = scoped ? parts.slice(2) : parts;
  return { namespace, plural, name, subresource: rest.join('/') };
}

function resourcePath(path: string): ResourcePath | null {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const [root, ...rest] = parts;
  const isCore = root === 'api';
  if (!isCore && root !== 'apis') return null;
  const group = isCore ? '' : rest.shift();
  const version = rest.shift();
  const where = splitResource(rest);
  if (group === undefined || version === undefined || where === null) return null;
  return { group, version, ...where };
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function resourceVerb(method: string, resource: ResourcePath, query: URLSearchParams): string {
  const isCollection = resource.name === '';
  if (method === 'GET' || method === 'HEAD') {
    if (!isCollection) return 'get';
    const watch = query.get('watch');
    return watch === 'true' || watch === '1' ? 'watch' : 'list';
  }
  const verb = verbs[method] ?? method.toLowerCase();
  return verb === 'delete' && isCollection ? 'deletecollection' : verb;
}

/** Throws 400 for a path that does not decode. */
export function parseRequest(method: string, url: string): RequestInfo {
  const parsed = URL.parse(url, 'https://kubernetes');
  if (parsed === null || !isDecodable(parsed.pathname)) throw badRequest('invalid request path');
  const { pathname, searchParams: query } = parsed;
  const resource = resourcePath(pathname);
  const verb = resource === null ? method.toLowerCase() : resourceVerb(method, resource, query);
  return { verb, path: pathname, query, resource };
}
