import { KUBERNETES_VERSION } from '@aquifer/model/kubernetes';
/** From an authenticated request to the handler of its resource and verb. */
import { ApiStatusError } from '../api-status-error.ts';
import type { MetricsSource, PodAccess } from '../cluster-client.ts';
import type { UserInfo } from '../objects/write-request.ts';
import type { ResourceRegistry, ServedResource } from '../resource-registry.ts';
import type { AccessAttributes, Authorizer } from '../security/authorization.ts';
import { methodNotAllowed, noSuchResource, type OnFault } from '../status.ts';
import { handleLogs } from '../streams/logs.ts';
import { aggregatedDiscovery, discoveryDocument, wantsAggregated } from './discovery.ts';
import { handleEviction } from './eviction.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { warnOfKind } from './kind-warnings.ts';
import { handleMetrics } from './metrics-api.ts';
import type { OpenApiDocuments } from './openapi.ts';
import { isProxied, type ProxySubresource } from './proxy-subresource.ts';
import { handleList, type ReadDependencies, sendObject, sendScale } from './read-handlers.ts';
import type { RequestInfo, ResourcePath } from './request-info.ts';
import { handleReview, handleTokenRequest, type ReviewDependencies } from './reviews.ts';
import {
  sendHealth,
  sendMetrics,
  sendPaths,
  sendText,
  sendTokenIssuer,
} from './server-documents.ts';
import { handleWatch } from './watch-handler.ts';
import {
  handleBinding,
  handleCreate,
  handleDelete,
  handleDeleteCollection,
  handlePatch,
  handleUpdate,
  type WriteDependencies,
} from './write-handlers.ts';

/** What the handlers need together. */
export interface RouterDependencies
  extends ReadDependencies,
    WriteDependencies,
    ReviewDependencies {
  readonly registry: ResourceRegistry;
  readonly openApi: OpenApiDocuments;
  readonly podAccess: PodAccess;
  /** Null where nothing is measured; `metrics.k8s.io` is not served then. */
  readonly metrics: MetricsSource | null;
  readonly proxy: ProxySubresource;
  readonly onFault: OnFault;
}

type Handler = (
  exchange: Exchange,
  dependencies: RouterDependencies,
  resource: ServedResource,
  path: ResourcePath,
) => void | Promise<void>;

/** What `kubectl version` shows. */
const version = {
  major: '1',
  minor: '34',
  emulationMajor: '1',
  emulationMinor: '34',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '33',
  gitVersion: KUBERNETES_VERSION,
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'aquifer',
  platform: 'linux/amd64',
};

const handleGet: Handler = (exchange, { objects }, resource, path) => {
  const object = objects.get(resource, path);
  if (path.subresource === 'scale') sendScale(exchange, resource, object);
  else sendObject(exchange, resource, object);
};

const verbHandlers: Readonly<Record<string, Handler>> = {
  get: handleGet,
  list: handleList,
  watch: handleWatch,
  create: handleCreate,
  update: handleUpdate,
  patch: handlePatch,
  delete: handleDelete,
  deletecollection: handleDeleteCollection,
};

/** `collection/subresource verb`. */
const subresourceHandlers: Readonly<Record<string, Handler>> = {
  '/pods/log get': (exchange, { storage, podAccess }, _resource, path) =>
    handleLogs(exchange, storage, podAccess, path),
  '/pods/eviction create': handleEviction,
  '/pods/binding create': handleBinding,
  '/bindings/ create': handleBinding,
  '/serviceaccounts/token create': (exchange, dependencies, _resource, path) =>
    handleTokenRequest(exchange, dependencies, path),
};

function served(resource: ServedResource, subresource: string): boolean {
  if (subresource === '') return true;
  if (subresource === 'status') return resource.status;
  if (subresource === 'scale') return resource.scale !== null;
  if (subresource === 'ephemeralcontainers') return resource.collection === '/pods';
  if (subresource === 'approval') {
    return resource.collection === 'certificates.k8s.io/certificatesigningrequests';
  }
  return subresource === 'finalize' && resource.collection === '/namespaces';
}

async function handleResource(
  exchange: Exchange,
  dependencies: RouterDependencies,
  path: ResourcePath,
): Promise<void> {
  const resource = dependencies.registry.find(path.group, path.version, path.plural);
  if (resource === null) throw noSuchResource();
  const { verb } = exchange.info;
  if (resource.measured && dependencies.metrics !== null) {
    handleMetrics(exchange, dependencies.metrics, resource, path);
    return;
  }
  if (isProxied(path)) {
    dependencies.proxy.serve(exchange, path);
    return;
  }
  warnOfKind(exchange, resource.collection);
  const special = subresourceHandlers[`${resource.collection}/${path.subresource} ${verb}`];
  if (resource.review && special === undefined) {
    if (verb !== 'create')
      throw methodNotAllowed('the server does not allow this method on the requested resource');
    await handleReview(exchange, dependencies, resource);
    return;
  }
  const handler = special ?? (served(resource, path.subresource) ? verbHandlers[verb] : undefined);
  if (handler === undefined) throw noSuchResource();
  await handler(exchange, dependencies, resource, path);
}

type Document = (exchange: Exchange, dependencies: RouterDependencies) => void | Promise<void>;

const discovery =
  (core: boolean): Document =>
  ({ request, response, info }, { registry }) => {
    if (!wantsAggregated(request.headers.accept)) {
      sendJson(response, 200, discoveryDocument(registry, info.path.replace(/\/$/, '')));
      return;
    }
    const type = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    sendText(response, type, JSON.stringify(aggregatedDiscovery(registry, core)));
  };

const documents: Readonly<Record<string, Document>> = {
  '/api': discovery(true),
  '/apis': discovery(false),
  '/version': ({ response }) =>
    sendText(response, 'application/json', JSON.stringify(version, null, 2)),
  '/': sendPaths,
  '/metrics': sendMetrics,
  '/.well-known/openid-configuration': sendTokenIssuer,
  '/openapi/v3': ({ response }, { openApi }) => sendJson(response, 200, openApi.index()),
  '/openid/v1/jwks': async ({ response }, { tokens }) =>
    sendJson(response, 200, { keys: [await tokens.jwk()] }),
};

async function handleDocument(exchange: Exchange, dependencies: RouterDependencies): Promise<void> {
  const path = exchange.info.path.replace(/(.)\/$/, '$1');
  const document = documents[path];
  if (document !== undefined) {
    await document(exchange, dependencies);
    return;
  }
  if (sendHealth(exchange)) return;
  if (path.startsWith('/openapi/v3/')) {
    const text = dependencies.openApi.document(path.slice('/openapi/v3/'.length));
    if (text !== undefined) {
      sendText(exchange.response, 'application/json', text);
      return;
    }
  }
  const found = discoveryDocument(dependencies.registry, path);
  if (found === null) throw noSuchResource();
  sendJson(exchange.response, 200, found);
}

function attributesOf({ verb, path, resource }: RequestInfo): AccessAttributes {
  return { verb, path, resource };
}

function what({ verb, path, resource }: RequestInfo): string {
  if (resource === null) return `cannot ${verb} path "${path}"`;
  const plural =
    resource.subresource === '' ? resource.plural : `${resource.plural}/${resource.subresource}`;
  const where =
    resource.namespace === '' ? 'at the cluster scope' : `in the namespace "${resource.namespace}"`;
  return `cannot ${verb} resource "${plural}" in API group "${resource.group}" ${where}`;
}

/** Throws 403 if no role allows the request. */
export function authorizeRequest(authorizer: Authorizer, user: UserInfo, info: RequestInfo): void {
  if (authorizer.decide(user, attributesOf(info)).allowed) return;
  const { resource } = info;
  const why = `User "${user.username}" ${what(info)}`;
  if (resource === null) {
    throw new ApiStatusError(403, 'Forbidden', `forbidden: ${why}`, {});
  }
  const plural = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
  const name = resource.name === '' ? '' : ` "${resource.name}"`;
  throw new ApiStatusError(403, 'Forbidden', `${plural}${name} is forbidden: ${why}`, {
    ...(resource.name === '' ? {} : { name: resource.name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
  });
}

/** Throws 403 before anything is looked at that the user may not see. */
export async function route(exchange: Exchange, dependencies: RouterDependencies): Promise<void> {
  const { info, user } = exchange;
  authorizeRequest(dependencies.authorizer, user, info);
  const { resource } = info;
  if (resource === null) await handleDocument(exchange, dependencies);
  else await handleResource(exchange, dependencies, resource);
}
