// hot path: one object per request
import type {
  BodyLength,
  BodyListener,
  HeaderList,
  HttpError,
  ServerExchange,
} from '@aquifer/http';
import { getHeader, removeHeader, setHeader } from '@aquifer/http';
import type { Host } from '../clusters/host.ts';
import type { Verified } from '../compile/metadata-match.ts';
import type { AuthorizationFilter } from '../compile/rbac.ts';
import type { CompiledRoute, WeightedTarget } from '../compile/route.ts';
import type { FilteredRequest } from '../filters/filtered-request.ts';
import type { FinishedRequest } from '../telemetry/request-telemetry.ts';
import { type ActiveTrace, beginTrace } from '../tracing/active-trace.ts';
import { dateText } from './date.ts';
import type { HttpConnection, UpgradedRequest } from './engine.ts';
import { grpcMessage, grpcStatusOf, isGrpcContent } from './grpc.ts';
import { GrpcMessages } from './grpc-messages.ts';
import { mutate, prepareRequestHeaders, upgradeOf } from './headers.ts';
import { behind, clientLeft, denialBy, type LocalReply, problemFlag } from './outcome.ts';
import { pathOnly, queryValue } from './path.ts';
import { MAX_REPLAY_BYTES, RequestBody } from './request-body.ts';
import { acceptOf } from './websocket.ts';

/** Statuses of answers without a body: whoever reads one takes it for the next answer. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

const NO_POLICIES: readonly AuthorizationFilter[] = [];

/** What a request waits for. */
interface Pending {
  cancel(): void;
}

/** Who has a request answered upstream, as the request sees it. */
export interface Call {
  /** Of an answer that is being passed on. */
  readonly flag: string;
  /** All of the request has arrived. */
  requestEnded(): void;
  /** The client took what was written to it. */
  downstreamDrained(): void;
  /** The client is gone. */
  abort(): void;
}

/**
 * One request on its way, in any version of HTTP: read by the phases, answered once, recorded once. It takes the
 * request's body and passes it to whoever is sending it upstream.
 */
export class HttpRequest
  implements BodyListener, UpgradedRequest, FinishedRequest, FilteredRequest
{
  readonly exchange: ServerExchange;
  readonly connection: HttpConnection;
  readonly startedAtMs: number = performance.now();
  /** An extended CONNECT (RFC 8441) is the GET that it stands for. */
  readonly method: string;
  readonly isGrpc: boolean;
  /** What is asked to upgrade to, in lower case. */
  readonly upgrade: string | null;
  readonly isUpgrade: boolean;
  readonly hasAuthority: boolean;
  authority: string;
  route: CompiledRoute | null = null;
  /** Of those that the route leads to, the one that this request goes to. */
  backend: WeightedTarget | null = null;
  call: Call | null = null;
  /** What went upstream, which is what is logged; null until something does. */
  sentHeaders: readonly string[] | null = null;
  host: Host | null = null;
  clusterName: string | null = null;
  upstreamFailure: string | null = null;
  serviceTimeMs: number | null = null;
  answerHeaders: readonly string[] | null = null;
  /** Null where no span is made. */
  readonly trace: ActiveTrace | null;
  /** As the answer said it, in its head or its trailers. */
  grpcStatus: string | null = null;
  /** Null for what is none of gRPC. */
  readonly messages: GrpcMessages | null;
  verified: Verified | null = null;
  bytesReceived = 0;
  bytesSent = 0;
  #target: string;
  /** What filters want changed about the answer, wherever it comes from. */
  #answerChanges: ((answer: HeaderList) => void)[] | null = null;
  /** Of an answer that is being passed on. */
  #status = 0;
  /** Of filters that let the request go on. */
  #flag: '' | 'DI' = '';
  #wait: Pending | null = null;
  /** Of an upgrade, those that came while it waited; null once it is authorized. */
  #newPolicies: readonly AuthorizationFilter[] | null = NO_POLICIES;
  /** Null while nobody has asked for any of it: then it waits in the codec. */
  #body: RequestBody | null = null;
  #hasEnded = false;
  #isPaused = false;
  /** Routes and policies ask for it many times. */
  #path: string;
  /** Answered once, then recorded once; a request whose client went away is recorded without an answer. */
  #phase: 'open' | 'answered' | 'recorded' = 'open';

  constructor(exchange: ServerExchange, connection: HttpConnection) {
    this.exchange = exchange;
    this.connection = connection;
    const { method, path, authority, headers, protocol } = exchange.head;
    prepareRequestHeaders(headers);
    this.trace = connection.chain.tracing && beginTrace(connection.chain.tracing, headers);
    this.method = protocol === undefined ? method : 'GET';
    this.isGrpc = isGrpcContent(headers);
    this.messages = this.isGrpc ? new GrpcMessages() : null;
    this.#target = path;
    this.#path = pathOnly(path);
    this.hasAuthority = authority !== null;
    this.authority = authority ?? '';
    this.upgrade = (protocol ?? upgradeOf(headers))?.toLowerCase() ?? null;
    this.isUpgrade = this.upgrade === 'websocket';
  }

  /** In origin form, normalised by the first phase; empty for CONNECT. */
  get target(): string {
    return this.#target;
  }

  set target(target: string) {
    this.#target = target;
    this.#path = pathOnly(target);
  }

  get path(): string {
    return this.#path;
  }

  /** As an HTTP/2 client says, or a proxy before this one; whatever else is written there leads nowhere. */
  get scheme(): 'http' | 'https' {
    const { scheme } = this.exchange.head;
    if (this.connection.version === 'HTTP/2') return scheme === 'https' ? 'https' : 'http';
    const said = getHeader(this.exchange.head.headers, 'x-forwarded-proto');
    return said?.toLowerCase() === 'https' ? 'https' : 'http';
  }

  get peerPrincipal(): string {
    return this.connection.info.source.principal;
  }

  get sourceIp(): string {
    return this.connection.info.client.ip;
  }

  get destinationIp(): string {
    return this.connection.info.destination.ip;
  }

  get destinationPort(): number {
    return this.connection.info.destination.port;
  }

  header(name: string, passes: (value: string) => boolean): boolean | null {
    if (name === ':path') return passes(this.#target);
    if (name === ':scheme') return passes(this.scheme);
    const { headers } = this.exchange.head;
    let found: boolean | null = null;
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] !== name) continue;
      if (passes(headers[i + 1]!)) return true;
      found = false;
    }
    return found;
  }

  query(name: string): string | null {
    return queryValue(this.#target, this.#path.length, name);
  }

  /** Answers from here. Later calls do nothing. */
  reply(reply: LocalReply, extraHeaders: readonly string[] = []): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'answered';
    // Over HTTP/2 the other requests of the connection have done nothing wrong.
    if (reply.closes && this.connection.version === 'HTTP/1.1') this.exchange.closeAfterwards();
    if (this.isGrpc) this.#replyGrpc(reply, extraHeaders);
    else this.#replyHttp(reply, extraHeaders);
  }

  #replyHttp(reply: LocalReply, extraHeaders: readonly string[]): void {
    const { status } = reply;
    const body = BODILESS.has(status) ? '' : reply.body;
    const bytes = Buffer.byteLength(body);
    const headers = bytes === 0 ? [] : ['content-type', 'text/plain'];
    headers.push(...extraHeaders);
    this.#changeFields(headers, reply.isOfRoute);
    if (bytes > 0) headers.push('content-length', String(bytes));
    const isHead = this.method === 'HEAD';
    this.exchange.respond({ status, headers }, isHead ? 0 : bytes);
    if (bytes > 0 && !isHead) {
      this.exchange.write(typeof body === 'string' ? Buffer.from(body) : body);
      this.bytesSent = bytes;
    }
    this.exchange.end();
    this.record(status, reply.flag, reply.details);
  }

  /** Clients of gRPC look for its status, in trailers or in a head without a body. */
  #replyGrpc(reply: LocalReply, extraHeaders: readonly string[]): void {
    this.grpcStatus = String(reply.grpcStatus ?? grpcStatusOf(reply.status));
    const headers = ['content-type', 'application/grpc', 'grpc-status', this.grpcStatus];
    if (reply.body.length > 0 && this.method !== 'HEAD')
      headers.push('grpc-message', grpcMessage(reply.body.toString()));
    headers.push(...extraHeaders);
    this.#changeFields(headers, reply.isOfRoute);
    this.exchange.respond({ status: 200, headers }, 0);
    this.exchange.end();
    this.record(200, reply.flag, reply.details);
  }

  /** Begins the upstream's answer; 101 is what an upgrade is answered with, over any version. */
  respond(status: number, headers: HeaderList, body: BodyLength): void {
    this.#status = status;
    this.#changeFields(headers);
    if (status !== 101) {
      this.exchange.respond({ status, headers }, body);
      return;
    }
    removeHeader(headers, 'content-length');
    if (this.connection.version === 'HTTP/2') {
      removeHeader(headers, 'sec-websocket-accept');
      this.exchange.respond({ status: 200, headers }, null);
      return;
    }
    const key = getHeader(this.exchange.head.headers, 'sec-websocket-key');
    if (key !== null) setHeader(headers, 'sec-websocket-accept', acceptOf(key));
    headers.push('connection', 'Upgrade', 'upgrade', 'websocket');
    this.exchange.respond({ status, headers }, null);
  }

  /** The upstream's answer is being passed on; nothing can be answered from here any more. */
  claimResponse(): boolean {
    if (this.#phase !== 'open') return false;
    this.#phase = 'answered';
    return true;
  }

  get hasResponded(): boolean {
    return this.#phase !== 'open';
  }

  /** Counts and logs the request, once. */
  record(status: number, flag: string, details: string): void {
    if (this.#phase === 'recorded') return;
    this.#phase = 'recorded';
    if (this.isUpgrade) this.connection.upgrades.delete(this);
    const flags = flag === '' ? this.#flag : behind(this.#flag, flag);
    this.connection.deps.telemetry.requestEnded(this, { status, flag: flags, details });
  }

  /** Has the answer's fields changed, be it made here or upstream. */
  changeAnswer(change: (answer: HeaderList) => void): void {
    this.#answerChanges ??= [];
    this.#answerChanges.push(change);
  }

  /** As the backend, the route and filters want it; and what no route takes away. */
  #changeFields(answer: HeaderList, isOfRoute = false): void {
    mutate(answer, this.backend?.responseHeaders ?? null);
    const { route } = this;
    if (isOfRoute || route?.action.kind === 'forward')
      mutate(answer, route?.responseHeaders ?? null);
    if (this.#answerChanges !== null) {
      for (const change of this.#answerChanges) change(answer);
    }
    if (getHeader(answer, 'date') === null) answer.push('date', dateText());
    setHeader(answer, 'server', this.connection.chain.serverName);
    this.answerHeaders = answer;
  }

  addFlag(flag: 'DI'): void {
    this.#flag = flag;
  }

  /** Waits before it goes on; `then` is not called if its client leaves. */
  waitFor(ms: number, then: () => void): void {
    this.waitOn(this.connection.deps.timers.start(ms, () => this.goOn(then)));
  }

  /** Meanwhile nothing more is read of it, unless somebody takes its body; what is waited for is cancelled if its client leaves. */
  waitOn(pending: Pending): void {
    if (this.#wait === null && this.#body === null) {
      this.exchange.pause();
      this.#isPaused = true;
    }
    this.#wait = pending;
  }

  /** What was waited for has come. */
  goOn(then: () => void): void {
    this.#wait = null;
    then();
    if (this.#wait !== null || !this.#isPaused) return;
    this.#isPaused = false;
    this.exchange.resume();
  }

  /** Who reads the body, of which nothing is lost meanwhile. `maxReplayBytes` counts for who asks first. */
  ownBody(maxReplayBytes: number = MAX_REPLAY_BYTES): RequestBody {
    this.#body ??= new RequestBody(this.exchange, {
      isComplete: this.exchange.body === 0 && !this.isUpgrade,
      maxReplayBytes,
    });
    return this.#body;
  }

  /** All of the request has arrived. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  waitForAnswer<Answer>(answer: Promise<Answer>, then: (answer: Answer) => void): void {
    let isWanted = true;
    this.waitOn({
      cancel: () => {
        isWanted = false;
      },
    });
    void answer.then((value) => {
      if (isWanted) this.goOn(() => then(value));
    });
  }

  /** Of what was upgraded. */
  end(): void {
    this.exchange.end();
  }

  judge(policies: readonly AuthorizationFilter[]): void {
    if (this.#newPolicies !== null) {
      this.#newPolicies = policies;
      return;
    }
    const reply = denialBy(policies, this);
    if (reply === null) return;
    this.record(this.hasResponded ? 101 : 0, '', reply.details);
    this.giveUp();
    this.exchange.reset();
  }

  /** By the policies of its chain, and by those that came while it waited; null if it may pass. */
  authorize(): LocalReply | null {
    const policies = this.#newPolicies ?? NO_POLICIES;
    this.#newPolicies = null;
    return denialBy(this.connection.chain.authorization, this) ?? denialBy(policies, this);
  }

  /** Whatever is under way for it ends, and nothing is begun. */
  giveUp(): void {
    this.#wait?.cancel();
    this.call?.abort();
  }

  onData(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    this.messages?.arrived(chunk);
    this.#body?.onData(chunk);
  }

  onBatch(): void {
    this.#body?.onBatch();
  }

  onTrailers(trailers: HeaderList): void {
    // Over HTTP/1.1 they are not passed on (spec l7 3.6).
    if (this.connection.version === 'HTTP/2') this.#body?.onTrailers(trailers);
  }

  onEnd(): void {
    this.#hasEnded = true;
    if (this.call === null) this.#body?.onEnd();
    else this.call.requestEnded();
  }

  onDrain(): void {
    this.call?.downstreamDrained();
  }

  onClose(error: HttpError | null): void {
    if (error === null) return;
    this.giveUp();
    if (error.answered === null) {
      const { flag, details } = clientLeft(error);
      this.record(this.#status, behind(this.call?.flag ?? '', flag), details);
    } else {
      const { problem, bytesSent } = error.answered;
      this.bytesSent += bytesSent;
      this.record(problem.status, problemFlag(problem), problem.details);
    }
  }
}
