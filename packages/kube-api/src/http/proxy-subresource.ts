/** `pods/proxy` and `services/proxy`: requests and upgrades that the API server passes on to a pod. */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { ApiStatusError } from '../api-status-error.ts';
import { isObject, listOr, objectOr, stringOr } from '../json.ts';
import { servicePortEndpoints } from '../service-endpoints.ts';
import { badRequest, notFound } from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import { specialAddress } from '../validation/addresses.ts';
import { type Exchange, sendError } from './exchange.ts';
import type { RequestInfo, ResourcePath } from './request-info.ts';

interface Location {
  readonly protocol: 'http:' | 'https:';
  readonly host: string;
  readonly port: number;
}

/** Where a request goes: `path` of the other server, below `prefix` of ours. */
interface Passage {
  readonly location: Location;
  readonly prefix: string;
  readonly path: string;
}

/** What Go says of failed connections, which clients look for. */
const GO_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ETIMEDOUT: 'i/o timeout',
};

const corsHeader = /^access-control-(allow|expose|max)-/;

/** Whether a path leads through this server to a pod. */
export function isProxied({ group, plural, subresource }: ResourcePath): boolean {
  return group === '' && subresource === 'proxy' && (plural === 'pods' || plural === 'services');
}

/** Holds connections to pods; certificates of pods are not checked, as kube-apiserver does not. */
export class ProxySubresource {
  readonly #storage: Storage;
  readonly #proxy = httpProxy.createProxyServer({ secure: false });
  readonly #passages = new WeakMap<IncomingMessage, Passage>();

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#proxy.on('proxyReq', (outgoing, _request, response) => {
      response.on('close', () => outgoing.destroy());
    });
    this.#proxy.on('proxyRes', (answer, request) => {
      const passage = this.#passages.get(request);
      const { headers } = answer;
      for (const name of Object.keys(headers)) if (corsHeader.test(name)) delete headers[name];
      if (headers.location === undefined || passage === undefined) return;
      headers.location = rewrittenLocation(headers.location, passage, request.headers.host ?? '');
    });
  }

  /** Throws 400, 404 or 503. A pod that cannot be reached is answered with 503. */
  serve({ request, response, info }: Exchange, path: ResourcePath): void {
    const passage = this.#passage(info, path);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (passage.path === '' && isRead) {
      // Relative links of the page have to stay below it.
      const [, query = ''] = (request.url ?? '').split(/(?=\?)/);
      response.writeHead(301, { Location: `${info.path}/${query}`, 'Content-Length': 0 }).end();
      return;
    }
    this.#prepare(request, passage);
    this.#proxy.web(request, response, { target: passage.location }, (error) =>
      sendError(response, unreachable(error, passage.location)),
    );
  }

  /** As `serve`, for a connection that leaves HTTP; `refuse` answers on it. */
  upgrade(
    { info, request, socket, head }: ProxiedUpgrade,
    path: ResourcePath,
    refuse: (error: ApiStatusError) => void,
  ): void {
    const passage = this.#passage(info, path);
    this.#prepare(request, passage);
    this.#proxy.ws(request, socket, head, { target: passage.location }, (error) =>
      refuse(unreachable(error, passage.location)),
    );
  }

  #prepare(request: IncomingMessage, passage: Passage): void {
    const { headers } = request;
    // They were meant for this server.
    delete headers.authorization;
    for (const name of Object.keys(headers)) if (/^impersonate-/.test(name)) delete headers[name];
    const query = /\?.*$/.exec(request.url ?? '')?.[0] ?? '';
    request.url = `${passage.path || '/'}${query}`;
    headers['x-forwarded-uri'] = `${passage.prefix}${passage.path}`;
    const { remoteAddress = '' } = request.socket;
    headers['x-forwarded-for'] = [headers['x-forwarded-for'] ?? [], remoteAddress]
      .flat()
      .join(', ');
    this.#passages.set(request, passage);
  }

  #passage(info: RequestInfo, path: ResourcePath): Passage {
    const split = /^((?:\/[^/]+){6}\/proxy)(.*)$/.exec(info.path);
    const [, prefix = '', rest = ''] = split ?? [];
    const location =
      path.plural === 'pods'
        ? podLocation(this.#storage, path)
        : serviceLocation(this.#storage, path);
    return { location, prefix, path: rest };
  }
}

interface ProxiedUpgrade {
  readonly info: RequestInfo;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

interface Named {
  readonly protocol: Location['protocol'];
  readonly name: string;
  readonly port: string;
}

/** `name`, `name:port` or `scheme:name:port`, with an empty port for the only one. */
function named(id: string): Named | null {
  const parts = /^(?:(https?|):)?([^:]+):([^:]*)$/.exec(id);
  if (parts === null) {
    return id.includes(':') ? null : { protocol: 'http:', name: id, port: '' };
  }
  const [, scheme, name = '', port = ''] = parts;
  return { protocol: scheme === 'https' ? 'https:' : 'http:', name, port };
}

function podLocation(storage: Storage, path: ResourcePath): Location {
  const target = named(path.name);
  if (target === null) throw badRequest(`invalid pod request "${path.name}"`);
  const { protocol, name } = target;
  const pod = storage.get('/pods', path.namespace, name);
  if (pod === null) throw notFound({ group: '', plural: 'pods', kind: 'Pod' }, name);
  const [first] = listOr(objectOr(pod.spec).containers)
    .filter(isObject)
    .flatMap((container) => listOr(container.ports).filter(isObject));
  const declared = typeof first?.containerPort === 'number' ? first.containerPort : null;
  const asked = /^\d{1,5}$/.test(target.port) ? Number(target.port) : Number.NaN;
  const port = target.port === '' ? (declared ?? defaultPort(protocol)) : asked;
  if (!Number.isInteger(port)) throw badRequest(`invalid pod request "${path.name}"`);
  if (port < 1 || port > 65_535) throw badRequest(`invalid pod request "${path.name}"`);
  const host = stringOr(objectOr(pod.status).podIP) ?? '';
  return { protocol, host: allowed(host), port };
}

/** Whoever writes the address of a pod or endpoint reaches nothing of this machine by it. Throws 400. */
function allowed(host: string): string {
  if (isIP(host) === 0 || specialAddress(host) !== null) throw badRequest('address not allowed');
  return host;
}

function defaultPort(protocol: Location['protocol']): number {
  return protocol === 'https:' ? 443 : 80;
}

function serviceLocation(storage: Storage, path: ResourcePath): Location {
  const target = named(path.name);
  if (target === null) throw badRequest(`invalid service request "${path.name}"`);
  const { protocol, name } = target;
  const service = storage.get('/services', path.namespace, name);
  if (service === null) throw notFound({ group: '', plural: 'services', kind: 'Service' }, name);
  const ports = listOr(objectOr(service.spec).ports).filter(isObject);
  const portName = servicePortName(ports, target.port);
  if (portName === null) {
    throw unavailable(`no service port ${target.port} found for service "${name}"`);
  }
  const endpoints = servicePortEndpoints(storage, path.namespace, name, portName);
  const endpoint = endpoints[Math.floor(Math.random() * endpoints.length)];
  if (endpoint === undefined) throw unavailable(`no endpoints available for service "${name}"`);
  return { protocol, host: allowed(endpoint.host), port: endpoint.port };
}

/** Null for a number that is none of the Service's ports; a name is looked for in its endpoints. */
function servicePortName(
  ports: readonly Readonly<Record<string, unknown>>[],
  asked: string,
): string | null {
  if (asked === '') return ports.length === 1 ? (stringOr(ports[0]?.name) ?? '') : '';
  if (!/^\d+$/.test(asked)) return asked;
  const port = ports.find((item) => item.port === Number(asked));
  return port === undefined ? null : (stringOr(port.name) ?? '');
}

function unavailable(message: string): ApiStatusError {
  return new ApiStatusError(503, 'ServiceUnavailable', message);
}

function unreachable(error: Error, { host, port }: Location): ApiStatusError {
  const words = GO_WORDS[(error as NodeJS.ErrnoException).code ?? ''];
  const why = words === undefined ? error.message : `dial tcp ${host}:${port}: ${words}`;
  return unavailable(`error trying to reach service: ${why}`);
}

/** A redirection to the pod itself leads below the prefix; one to somewhere else stays. */
function rewrittenLocation(text: string, { location, prefix }: Passage, ownHost: string): string {
  const base = `${location.protocol}//${location.host}:${location.port}`;
  const url = URL.parse(text, `${base}/`);
  if (url === null) return text;
  const isOwn = url.host === new URL(base).host || url.host === ownHost;
  if (!isOwn || url.pathname.startsWith(`${prefix}/`)) return text;
  return `${prefix}${url.pathname}${url.search}${url.hash}`;
}
