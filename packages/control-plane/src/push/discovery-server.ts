/** ADS, delta and state of the world (spec control-plane 3.3 to 3.5): authenticates streams, keeps the connected ones up to date. */
import { err, type Locality, ok, type Result } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import type { Node } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { podOfCaller } from '../ca/node-authorization.ts';
import { Refusal, toRefusal } from '../errors.ts';
import { AddressIndex } from './address-index.ts';
import type { Authenticate, Caller } from './authenticate.ts';
import { type AnswerDebug, isDebugType } from './debug-request.ts';
import { DeltaConnection, type DeltaStream } from './delta-connection.ts';
import { type ConnectedProxy, parseProxy } from './proxy.ts';
import type { ConnectionDeps } from './proxy-connection.ts';
import { proxyNodeOf } from './proxy-node.ts';
import type { Published, Publisher } from './publisher.ts';
import type { PushMetrics } from './push-metrics.ts';
import { StateConnection, type StateStream } from './state-connection.ts';

export interface DiscoveryServerDeps {
  readonly publisher: Publisher;
  readonly authenticate: Authenticate;
  readonly log: Logger;
  readonly metrics: PushMetrics;
  /** `namespace/name` of the accounts that node proxies run as. */
  readonly trustedNodeAccounts: readonly string[];
  /** Whether the TLS port refuses callers without a token. */
  readonly isAuthRequired: boolean;
  readonly answerDebug: AnswerDebug;
}

export class DiscoveryServer {
  readonly #deps: DiscoveryServerDeps;
  readonly #connections = new Set<DiscoveryConnection>();
  readonly #addresses = new AddressIndex();

  constructor(deps: DiscoveryServerDeps) {
    this.#deps = deps;
    deps.publisher.subscribe(() => {
      this.#addresses.catchUp();
      for (const connection of this.#connections) connection.push();
    });
  }

  /** In the order of connecting. */
  get connections(): readonly DiscoveryConnection[] {
    return [...this.#connections];
  }

  /** Ends every stream. */
  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** Serves one stream. `isSecure` is false on the plaintext port, where callers have no identity. */
  serveDelta(stream: DeltaStream, isSecure: boolean): void {
    this.#serve<DeltaDiscoveryRequest>(
      stream,
      isSecure,
      (proxy, deps) => new DeltaConnection(stream, proxy, deps),
    );
  }

  /** As `serveDelta`, for clients that want the whole state each time. */
  serveState(stream: StateStream, isSecure: boolean): void {
    this.#serve<DiscoveryRequest>(
      stream,
      isSecure,
      (proxy, deps) => new StateConnection(stream, proxy, deps),
    );
  }

  #serve<Request extends FirstRequest>(
    stream: DeltaStream | StateStream,
    isSecure: boolean,
    connect: Connect<Request>,
  ): void {
    const deps = { ...this.#deps, addresses: this.#addresses };
    const session = new StreamSession(stream, deps, isSecure, {
      connect,
      onConnected: (connection) => {
        this.#connections.add(connection);
        this.#deps.metrics.connected(this.#connections.size);
      },
    });
    stream.on('data', (request: Request) => session.receive(request));
    stream.on('end', () => stream.end());
    stream.on('error', () => this.#forget(session));
    stream.on('close', () => this.#forget(session));
    stream.on('cancelled', () => this.#forget(session));
  }

  #forget(session: { readonly connection: DiscoveryConnection | null; end(): void }): void {
    if (session.connection === null || !this.#connections.delete(session.connection)) return;
    session.end();
    this.#deps.metrics.connected(this.#connections.size);
    this.#deps.log.info('proxy disconnected', { proxy: session.connection.proxy.id });
  }
}

/** A stream of either protocol. */
export type DiscoveryConnection = DeltaConnection | StateConnection;
type FirstRequest = DeltaDiscoveryRequest | DiscoveryRequest;
type Connect<Request> = (
  proxy: ConnectedProxy,
  deps: ConnectionDeps,
) => DiscoveryConnection & { receive(request: Request): void };

interface SessionDeps extends DiscoveryServerDeps {
  readonly addresses: AddressIndex;
}

interface SessionHooks<Request> {
  readonly connect: Connect<Request>;
  readonly onConnected: (connection: DiscoveryConnection) => void;
}

/** Names and types that a stream may ask for: a busy node proxy needs some thousands. */
const MAX_NAMES = 50_000;
const MAX_NAME_LENGTH = 1024;

/** Of what a sidecar or a gateway says of itself; of a pod it is some hundreds. */
const MAX_NODE_LENGTH = 65_536;

/** A stream from its first byte on: it is not read further until it is known who asks. */
class StreamSession<Request extends FirstRequest> {
  readonly #stream: DeltaStream | StateStream;
  readonly #deps: SessionDeps;
  readonly #isSecure: boolean;
  readonly #hooks: SessionHooks<Request>;
  connection: ReturnType<Connect<Request>> | null = null;
  #leave: () => void = () => undefined;
  #caller: Caller | null = null;
  #isRefused = false;

  constructor(
    stream: DeltaStream | StateStream,
    deps: SessionDeps,
    isSecure: boolean,
    hooks: SessionHooks<Request>,
  ) {
    this.#stream = stream;
    this.#deps = deps;
    this.#isSecure = isSecure;
    this.#hooks = hooks;
  }

  /** To be called when the stream has ended. */
  end(): void {
    this.connection?.end();
    this.#leave();
  }

  receive(request: Request): void {
    if (this.#isRefused) return;
    if (this.connection !== null) this.#handle(this.connection, request);
    else {
      this.#stream.pause();
      this.#connect(request).catch((error: unknown) => this.#refuse(error));
    }
  }

  async #connect(first: Request): Promise<void> {
    const { publisher, authenticate, log } = this.#deps;
    const published = publisher.current;
    if (published === null)
      throw new Refusal('CP_NOT_READY', 'server is not ready to serve discovery information');
    const parsed = proxyIn(first);
    if (!parsed.ok) throw new Refusal('CP_BAD_NODE', parsed.error);
    const caller = await authenticate(this.#stream.metadata);
    if (!caller.ok) {
      log.warn('proxy is not authenticated', { proxy: parsed.value.id, error: caller.error });
      throw new Refusal('CP_UNAUTHENTICATED', 'authentication failure');
    }
    if (caller.value === null && this.#isSecure && this.#deps.isAuthRequired) {
      throw new Refusal('CP_UNAUTHENTICATED', 'authentication failure: no token');
    }
    const proxy = verify(parsed.value, caller.value, published, this.#deps.trustedNodeAccounts);
    if (!proxy.ok) {
      log.warn('proxy is refused', { proxy: parsed.value.id, error: proxy.error });
      throw new Refusal('CP_NOT_IDENTICAL', proxy.error);
    }
    this.#caller = caller.value;
    this.#open(proxy.value, first, published);
  }

  #open(verified: ConnectedProxy, first: Request, published: Published): void {
    const { log, metrics, addresses, answerDebug } = this.#deps;
    if (this.#stream.cancelled) return;
    const node = proxyNodeOf(verified);
    // Not by its id, which anybody may say: streams share what they are served only if they are alike in everything.
    const servedAs = node === null ? null : JSON.stringify(node);
    if (servedAs !== null && servedAs.length > MAX_NODE_LENGTH) {
      throw new Refusal(
        'CP_BAD_NODE',
        `labels and addresses of more than ${MAX_NODE_LENGTH} characters`,
      );
    }
    const proxy = { ...verified, servedAs };
    log.info('proxy connected', { proxy: proxy.id, node: proxy.nodeName || null });
    const connection = this.#hooks.connect(proxy, {
      log,
      metrics,
      published: () => published,
      addresses,
      answerDebug,
      abandon: () => this.#refuse(new Refusal('CP_EXHAUSTED', 'responses are not read')),
    });
    this.connection = connection;
    if (node !== null && servedAs !== null) {
      this.#leave = this.#deps.publisher.connect(servedAs, node);
    }
    this.#hooks.onConnected(connection);
    this.#stream.resume();
    this.#handle(connection, first);
  }

  #handle(connection: ReturnType<Connect<Request>>, request: Request): void {
    try {
      const names = namesOf(request);
      if ([request.typeUrl, ...names].some((name) => name.length > MAX_NAME_LENGTH)) {
        throw new Refusal('CP_EXHAUSTED', `a name is longer than ${MAX_NAME_LENGTH} characters`);
      }
      if (isDebugType(request.typeUrl)) {
        connection.debug({ ...request, names, caller: this.#caller });
      } else connection.receive(request);
      if (connection.nameCount > MAX_NAMES) {
        throw new Refusal('CP_EXHAUSTED', `more than ${MAX_NAMES} names on one stream`);
      }
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    if (!(error instanceof Refusal)) {
      this.#deps.log.error('discovery stream failed', { error: (error as Error).message });
    }
    this.#isRefused = true;
    this.#stream.emit('error', toRefusal(error).toServiceError());
  }
}

function proxyIn({ node }: FirstRequest): Result<ConnectedProxy, string> {
  return parseProxy(node?.id ?? '', node?.metadata ?? {}, localityOf(node?.locality));
}

function localityOf(locality: Node['locality']): Locality | null {
  if (locality === undefined || locality.region === '') return null;
  const { region, zone, subZone: subzone } = locality;
  return { region, zone, subzone };
}

function namesOf(request: FirstRequest): readonly string[] {
  return 'resourceNames' in request ? request.resourceNames : request.resourceNamesSubscribe;
}

/** Namespace and account must be the token's; a node proxy's node must be that of the token's pod. */
function verify(
  proxy: ConnectedProxy,
  caller: Caller | null,
  { cluster }: Published,
  trustedNodeAccounts: readonly string[],
): Result<ConnectedProxy, string> {
  if (caller === null) return ok(proxy);
  if (proxy.namespace !== caller.namespace) {
    return err(
      `no identities (${caller.namespace}/${caller.serviceAccount}) matched ${proxy.namespace}`,
    );
  }
  if (proxy.serviceAccount !== '' && proxy.serviceAccount !== caller.serviceAccount) {
    return err(
      `no identities (${caller.namespace}/${caller.serviceAccount}) matched ${proxy.namespace}/${proxy.serviceAccount}`,
    );
  }
  const proven = { ...proxy, provenAccount: caller.serviceAccount };
  if (proxy.type !== 'ztunnel' || proxy.nodeName === '') return ok(proven);
  if (!trustedNodeAccounts.includes(`${caller.namespace}/${caller.serviceAccount}`))
    return ok(proven);
  const pod = podOfCaller(caller, cluster);
  if (!pod.ok) return pod;
  const node = pod.value.spec?.nodeName ?? '';
  if (node !== proxy.nodeName) {
    return err(`NODE_NAME is ${proxy.nodeName}, but the token's pod is on node ${node}`);
  }
  return ok({ ...proven, isNodeVerified: true });
}
