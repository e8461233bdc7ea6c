// hot path: every request that goes upstream
import type { AnswerHead, BodyLength, HeaderList, RequestHead } from '@aquifer/http';
import { setHeader } from '@aquifer/http';
import { ANY_HOST, type Cluster, type HostChoice } from '../clusters/cluster.ts';
import type { Host } from '../clusters/host.ts';
import type { RequestHash } from '../compile/hash-policy.ts';
import type { AttemptFailure, RetryPolicy } from '../compile/retry-policy.ts';
import type { ForwardAction, WeightedTarget } from '../compile/route.ts';
import { isDrawn } from '../filters/fraction.ts';
import { type MirrorPolicy, shadowHost } from '../filters/mirror-policy.ts';
import { passOnTrace } from '../tracing/active-trace.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { grpcTimeoutMs, grpcTimeoutText } from './grpc.ts';
import { endToEnd, mutate } from './headers.ts';
import type { Call, HttpRequest } from './http-request.ts';
import { Mirror } from './mirror.ts';
import {
  attemptFailed,
  behind,
  type CutKind,
  cutShort,
  NO_HEALTHY_UPSTREAM,
  REQUEST_TIMEOUT,
} from './outcome.ts';
import { pathOnly, queryValue } from './path.ts';
import { MAX_REPLAY_BYTES, type RequestBody } from './request-body.ts';
import type { Timeout } from './timer-wheel.ts';

interface Route {
  readonly action: ForwardAction;
  readonly target: WeightedTarget;
  readonly cluster: Cluster;
}

/**
 * ```
 * trying ── failed, to be retried ──► backing off ──► trying
 *    └── answered, given up, or the client is gone ──► done
 * ```
 */
type State =
  | { readonly kind: 'trying'; readonly attempt: Attempt }
  | { readonly kind: 'backing-off'; readonly timeout: Timeout }
  | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };
const UNHASHED: RequestHash = { hash: null, setCookie: null };
const OVERLOADED: readonly string[] = ['x-envoy-overloaded', 'true'];

/**
 * Gets one request answered by a cluster: attempts one after the other, until one answers acceptably or nothing is
 * left to try. Always: nothing is retried once a byte of an answer went downstream (spec l7 3.1).
 */
export class UpstreamCall implements Call, AttemptOwner {
  readonly request: HttpRequest;
  readonly #route: Route;
  readonly #head: RequestHead;
  /** Read by attempts; where the client's bytes go. */
  readonly body: RequestBody;
  readonly #tried: Host[] = [];
  readonly #choice: HostChoice;
  /** Made for a request without one, so that those after it go to the same host. */
  readonly setCookie: string | null;
  #state: State = DONE;
  #attempts = 0;
  #hasInterim = false;
  /** For all attempts together, from the end of the request; zero is no limit. */
  readonly #timeoutMs: number;
  /** Whether a retry is under way, which a breaker counts, or was refused by it. */
  #retrying: 'no' | 'counted' | 'refused' = 'no';
  #routeTimeout: Timeout | null = null;
  /** Only while the time runs. */
  #endsAtMs = 0;
  /** Of the answer that is being passed on. */
  #status = 0;
  /** Why it was not tried again, of the answer that is being passed on; empty if it was not to be. */
  flag: '' | 'URX' | 'UO' = '';

  constructor(request: HttpRequest, route: Route) {
    this.request = request;
    this.#route = route;
    this.#timeoutMs = timeoutOf(request, route.action);
    // What is sent to, if a route changes it, is what is logged as well.
    const headers = upstreamHeaders(request, route);
    request.sentHeaders = headers;
    this.#head = {
      method: request.method,
      scheme: request.scheme,
      authority: request.authority,
      path: route.action.pathRewrite?.(request.target) ?? request.target,
      headers,
    };
    this.body = request.ownBody(route.action.retry === null ? 0 : MAX_REPLAY_BYTES);
    const { hash, setCookie } = hashOf(this.#head, request, route);
    this.setCookie = setCookie;
    this.#choice = {
      tried: this.#tried,
      reselections: route.action.retry?.hostSelectionAttempts ?? 0,
      hash,
      triesPerPriority: route.action.retry?.triesPerPriority ?? 0,
    };
  }

  start(): void {
    this.#sayTimeout();
    for (const policy of this.#route.action.mirrors) this.#mirror(policy);
    this.#nextAttempt();
  }

  /** To a cluster that is not there, or has no host that answers, no copy goes. */
  #mirror(policy: MirrorPolicy): void {
    const { request } = this;
    if (request.isUpgrade || !isDrawn(policy.fraction)) return;
    const { info, deps, version } = request.connection;
    const cluster = deps.config.clusters.get(policy.cluster, info.destination, request.authority);
    const host = cluster?.pick(ANY_HOST) ?? null;
    if (cluster === null || host === null) return;
    const headers = [...this.#head.headers];
    const timeoutMs = this.#timeoutMs;
    // For one attempt there is all the time.
    if (timeoutMs > 0) setHeader(headers, 'x-envoy-expected-rq-timeout-ms', String(timeoutMs));
    const authority = policy.marksHost ? shadowHost(request.authority) : request.authority;
    const mirror = new Mirror(host, {
      version: cluster.versionFor(version),
      head: { ...this.#head, authority, headers },
      body: this.bodyLength,
      timers: deps.timers,
      timeoutMs,
    });
    mirror.start();
    this.body.copyTo(mirror);
  }

  /** What asks for an upgrade goes on behind its head. */
  get bodyLength(): BodyLength {
    return this.request.isUpgrade ? null : this.request.exchange.body;
  }

  /** All of the request has arrived. */
  requestEnded(): void {
    const timeoutMs = this.#timeoutMs;
    const { isUpgrade, hasResponded, connection } = this.request;
    // Once upgraded, a connection may last as long as it likes.
    const isUpgraded = isUpgrade && hasResponded;
    if (timeoutMs > 0 && this.#state.kind !== 'done' && !isUpgraded) {
      const { timers } = connection.deps;
      this.#endsAtMs = performance.now() + timeoutMs;
      this.#routeTimeout = timers.start(timeoutMs, () => this.#onRouteTimeout());
    }
    this.body.onEnd();
    if (this.#state.kind === 'trying') this.#state.attempt.requestEnded();
  }

  /** The client took what was written to it. */
  downstreamDrained(): void {
    if (this.#state.kind === 'trying') this.#state.attempt.resume();
  }

  /** The client is gone. */
  abort(): void {
    this.#finish();
  }

  /** How long the host may take: an attempt gets no more than is left for all. */
  #sayTimeout(): void {
    const { action } = this.#route;
    const leftMs = this.#routeTimeout === null ? this.#timeoutMs : this.#leftMs();
    const expectedMs = shortest(leftMs, action.retry?.perTryTimeoutMs ?? 0);
    if (expectedMs === 0) return;
    const { headers } = this.#head;
    setHeader(headers, 'x-envoy-expected-rq-timeout-ms', String(expectedMs));
    if (this.request.isGrpc && action.maxGrpcTimeoutMs !== null) {
      setHeader(headers, 'grpc-timeout', grpcTimeoutText(expectedMs));
    }
  }

  #leftMs(): number {
    return Math.max(1, Math.ceil(this.#endsAtMs - performance.now()));
  }

  #nextAttempt(): Attempt | null {
    const { cluster, action } = this.#route;
    const host = cluster.pick(this.#choice);
    if (host === null || !this.body.canStartOver) {
      this.#finish();
      this.request.reply(NO_HEALTHY_UPSTREAM);
      return null;
    }
    this.#attempts += 1;
    if (this.#attempts > 1) this.#sayTimeout();
    this.#tried.push(host);
    this.request.host = host;
    if (this.request.route?.addsAttemptCount) {
      setHeader(this.#head.headers, 'x-envoy-attempt-count', String(this.#attempts));
    }
    const { version } = this.request.connection;
    const attempt = new Attempt(host, cluster.versionFor(version), this);
    this.#state = { kind: 'trying', attempt };
    attempt.start(this.#head, action.retry?.perTryTimeoutMs ?? 0);
    return attempt;
  }

  /** Something was heard of an answer: another host might say something else. */
  onInterim(): void {
    this.#hasInterim = true;
  }

  /** Null once there is no other attempt to come. */
  get #retryPolicy(): RetryPolicy | null {
    return this.#hasInterim ? null : this.#route.action.retry;
  }

  /** Decides about an answer's head: true to pass it on, false when the attempt is given up for another. */
  onHead(head: AnswerHead): boolean {
    if (this.#state.kind === 'done') return false;
    const isRetriable = this.#retryPolicy?.retriesAnswer(head.status, head.headers) ?? false;
    if (isRetriable && this.#retry()) return false;
    this.flag = isRetriable ? this.#retryFlag() : '';
    if (this.request.isUpgrade) this.#routeTimeout?.cancel();
    this.#status = head.status;
    return this.request.claimResponse();
  }

  /** An attempt's answer was cut short. */
  onCut(status: number, kind: CutKind): void {
    if (this.#state.kind === 'done') return;
    this.#finish();
    // What came before the cut is for the client.
    this.request.exchange.flush();
    this.request.exchange.reset('INTERNAL_ERROR');
    const { flag, details } = cutShort(kind);
    this.request.record(status, behind(this.flag, flag), details);
  }

  /** An attempt ended without an answer. */
  onFailure(failure: AttemptFailure, reason: string): void {
    if (this.#state.kind === 'done') return;
    const isRetriable = this.#retryPolicy?.retriesFailure(failure) ?? false;
    if (isRetriable && this.#retry()) return;
    this.#finish();
    const transportFailure = failure === 'connect-failure' ? reason : null;
    this.request.upstreamFailure = transportFailure?.replaceAll(' ', '_') ?? null;
    const reply = attemptFailed(failure, {
      hasRetried: this.#attempts > 1,
      hasBegun: this.#hasInterim,
      transportFailure,
    });
    const retryFlag = isRetriable ? this.#retryFlag() : '';
    const flag = retryFlag === '' ? reply.flag : behind(retryFlag, reply.flag);
    this.request.reply({ ...reply, flag }, failure === 'overflow' ? OVERLOADED : []);
  }

  /** The answer went downstream to its end. */
  onComplete(status: number): void {
    this.#finish();
    this.request.record(status, this.flag, 'via_upstream');
  }

  /** Why nothing more was tried; empty if nothing more could be. */
  #retryFlag(): '' | 'URX' | 'UO' {
    if (this.#retrying === 'refused') return 'UO';
    return this.#isExhausted() ? 'URX' : '';
  }

  /** False if too many retries are under way. One that this call has made before ends with its next decision. */
  #admitRetry(): boolean {
    this.#endRetry();
    this.#retrying = this.#route.cluster.breakers.admitRetry() ? 'counted' : 'refused';
    return this.#retrying === 'counted';
  }

  #endRetry(): void {
    if (this.#retrying !== 'counted') return;
    this.#route.cluster.breakers.retryEnded();
    this.#retrying = 'no';
  }

  /** True if another attempt will follow. */
  #retry(): boolean {
    const retry = this.#retryPolicy;
    if (retry === null || this.#isExhausted() || !this.body.canStartOver) return false;
    if (!this.#admitRetry()) return false;
    if (this.#state.kind === 'trying') this.#state.attempt.abort();
    this.body.release();
    const ceilingMs = Math.min((2 ** this.#attempts - 1) * retry.baseBackOffMs, retry.maxBackOffMs);
    const { timers } = this.request.connection.deps;
    const timeout = timers.start(Math.random() * ceilingMs, () => this.#nextAttempt()?.flush());
    this.#state = { kind: 'backing-off', timeout };
    return true;
  }

  #isExhausted(): boolean {
    return this.#attempts > (this.#route.action.retry?.retries ?? 0);
  }

  #onRouteTimeout(): void {
    const { request } = this;
    if (this.#state.kind === 'trying' && !request.hasResponded) request.host?.report('timeout');
    this.#finish();
    if (!request.hasResponded) {
      request.reply(REQUEST_TIMEOUT);
      return;
    }
    request.exchange.reset('INTERNAL_ERROR');
    request.record(this.#status, behind(this.flag, REQUEST_TIMEOUT.flag), REQUEST_TIMEOUT.details);
  }

  #finish(): void {
    const state = this.#state;
    this.#state = DONE;
    this.#endRetry();
    this.#routeTimeout?.cancel();
    if (state.kind === 'trying') state.attempt.abort();
    else if (state.kind === 'backing-off') state.timeout.cancel();
    this.body.close();
  }
}

/** A client of gRPC says how long it will wait, which the route may cap (spec l7 1.9). */
function timeoutOf(request: HttpRequest, { timeoutMs, maxGrpcTimeoutMs }: ForwardAction): number {
  if (!request.isGrpc || maxGrpcTimeoutMs === null) return timeoutMs;
  return shortest(grpcTimeoutMs(request.exchange.head.headers) ?? 0, maxGrpcTimeoutMs);
}

/** For a cluster that asks for it, of the request as it is sent. */
function hashOf(head: RequestHead, request: HttpRequest, { action, cluster }: Route): RequestHash {
  if (action.hash === null || !cluster.wantsHash) return UNHASHED;
  const { headers, path } = head;
  const { clientText, destinationText } = request.connection;
  return action.hash({
    headers,
    query: (name) => queryValue(path, pathOnly(path).length, name),
    clientIp: request.sourceIp,
    connectionText: clientText + destinationText,
  });
}

function upstreamHeaders(request: HttpRequest, { action, target }: Route): HeaderList {
  const headers = endToEnd(request.exchange.head.headers);
  if (target.hostRewrite !== null) request.authority = target.hostRewrite;
  if (action.hostRewrite !== null) {
    setHeader(headers, 'x-envoy-original-host', request.authority);
    request.authority = action.hostRewrite;
  }
  if (action.pathRewrite !== null) setHeader(headers, 'x-envoy-original-path', request.target);
  mutate(headers, target.requestHeaders);
  mutate(headers, request.route?.requestHeaders ?? null);
  if (request.trace !== null) passOnTrace(request.trace, headers);
  return headers;
}

/** Zero is no limit. */
function shortest(oneMs: number, otherMs: number): number {
  if (oneMs === 0 || otherMs === 0) return oneMs + otherMs;
  return Math.min(oneMs, otherMs);
}
