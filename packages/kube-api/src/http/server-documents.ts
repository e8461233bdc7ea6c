/** Documents about the server itself: health, metrics, the list of paths, and where tokens are verified. */
import type { ServerResponse } from 'node:http';
import type { ResourceRegistry } from '../resource-registry.ts';
import { ISSUER } from '../security/tokens.ts';
import { badRequest } from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import { type Exchange, sendJson } from './exchange.ts';

/** What the documents tell of. */
export interface ServerDocumentDependencies {
  readonly storage: Storage;
  readonly registry: ResourceRegistry;
}

const checks: ReadonlyMap<string, readonly string[]> = new Map([
  ['healthz', ['ping', 'log', 'etcd']],
  ['livez', ['ping', 'log', 'etcd']],
  ['readyz', ['ping', 'log', 'etcd', 'informer-sync', 'shutdown']],
]);

/** Answers with a text. */
export function sendText(response: ServerResponse, type: string, text: string | Buffer): void {
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** `/healthz`, `/livez`, `/readyz` (`?verbose` lists the checks) and each check of theirs; false for other paths. */
export function sendHealth({ response, info }: Exchange): boolean {
  const [name = '', check, ...rest] = info.path.split('/').filter((part) => part !== '');
  const known = checks.get(name);
  if (known === undefined || rest.length > 0) return false;
  if (check !== undefined && !known.includes(check)) return false;
  const verbose = info.query.has('verbose') && check === undefined;
  const lines = known.map((item) => `[+]${item} ok\n`);
  const text = verbose ? `${lines.join('')}${name} check passed\n` : 'ok';
  sendText(response, 'text/plain; charset=utf-8', text);
  return true;
}

/** `/metrics`: how many objects there are of each kind. */
export function sendMetrics(
  { response }: Exchange,
  { storage, registry }: ServerDocumentDependencies,
): void {
  const collections = new Map(registry.all().map((item) => [item.collection, item]));
  const rows = [...collections.values()]
    .filter((item) => !item.review)
    .map(({ collection, plural, group }) => {
      const resource = group === '' ? plural : `${plural}.${group}`;
      return `apiserver_storage_objects{resource="${resource}"} ${storage.list(collection).length}\n`;
    });
  const text = [
    '# HELP apiserver_storage_objects [STABLE] Number of stored objects at the time of last check split by kind.\n',
    '# TYPE apiserver_storage_objects gauge\n',
    ...rows.toSorted(),
  ];
  sendText(response, 'text/plain; version=0.0.4; charset=utf-8', text.join(''));
}

/** `/`: every path that is served. */
export function sendPaths({ response }: Exchange, { registry }: ServerDocumentDependencies): void {
  const groups = registry
    .all()
    .filter(({ group }) => group !== '')
    .flatMap(({ group, apiVersion }) => [`/apis/${group}`, `/apis/${apiVersion}`]);
  const health = [...checks].flatMap(([name, known]) => [
    `/${name}`,
    ...known.map((check) => `/${name}/${check}`),
  ]);
  const paths = [
    '/.well-known/openid-configuration',
    '/api',
    '/api/v1',
    '/apis',
    ...groups,
    ...health,
    '/metrics',
    '/openapi/v3',
    '/openid/v1/jwks',
    '/version',
  ];
  sendJson(response, 200, { paths: [...new Set(paths)].toSorted() });
}

/** `/.well-known/openid-configuration` (OpenID Connect discovery of service account tokens). */
export function sendTokenIssuer({ response, request }: Exchange): void {
  const { host } = request.headers;
  if (host === undefined) throw badRequest('the request names no host');
  sendJson(response, 200, {
    issuer: ISSUER,
    jwks_uri: `https://${host}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  });
}
