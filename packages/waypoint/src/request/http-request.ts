// hot path: one object per request
import type { BodyListener, HttpError, ServerExchange } from '@aquifer/http';
import type { Host } from '../clusters/host.ts';
import type { AuthorizationInput } from '../compile/rbac.ts';
import type { CompiledRoute } from '../compile/route.ts';
import { runPhases } from '../phases.ts';
import type { HttpConnection } from './connection.ts';
import { dateText } from './date.ts';
import { mutate, prepareRequestHeaders, upgradeOf } from './headers.ts';
import type { LocalReply } from './outcome.ts';
import { pathOnly, queryValue } from './path.ts';
import type { UpstreamCall } from './upstream-call.ts';

/**
 * One request on its way: read by the phases, answered once, recorded once. It takes the request's body and passes it
 * to whoever is sending it upstream.
 */
export class HttpRequest implements BodyListener, AuthorizationInput {
  readonly exchange: ServerExchange;
  readonly connection: HttpConnection;
  readonly startedAtMs: number = performance.now();
  /** What is asked to upgrade to, in lower case. */
  readonly upgrade: string | null;
  readonly isUpgrade: boolean;
  readonly hasAuthority: boolean;
  authority: string;
  route: CompiledRoute | null = null;
  call: UpstreamCall | null = null;
  host: Host | null = null;
  clusterName: string | null = null;
  upstreamFailure: string | null = null;
  serviceTimeMs: number | null = null;
  bytesReceived = 0;
  bytesSent = 0;
  #target: string;
  /** Routes and policies ask for it many times. */
  #path: string;
  /** Answered once, then recorded once; a request whose client went away is recorded without an answer. */
  #phase: 'open' | 'answered' | 'recorded' = 'open';

  constructor(exchange: ServerExchange, connection: HttpConnection) {
    this.exchange = exchange;
    this.connection = connection;
    const { path, authority, headers } = exchange.head;
    prepareRequestHeaders(headers);
    this.#target = path;
    this.#path = pathOnly(path);
    this.hasAuthority = authority !== null;
    this.authority = authority ?? '';
    this.upgrade = upgradeOf(headers)?.toLowerCase() ?? null;
    this.isUpgrade = this.upgrade === 'websocket';
  }

  get method(): string {
    return this.exchange.head.method;
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

  start(): void {
    runPhases(this);
  }

  /** Answers from here. Later calls do nothing. */
  reply(reply: LocalReply, extraHeaders: readonly string[] = []): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'answered';
    const { status, body } = reply;
    const headers = body === '' ? [] : ['content-type', 'text/plain'];
    const bytes = Buffer.byteLength(body);
    headers.push(...extraHeaders, 'date', dateText(), 'server', this.connection.chain.serverName);
    mutate(headers, this.route?.responseHeaders ?? null);
    headers.push('content-length', String(bytes));
    if (reply.closes) this.exchange.closeAfterwards();
    const isHead = this.method === 'HEAD';
    this.exchange.respond({ status, headers }, isHead ? 0 : bytes);
    if (body !== '' && !isHead) {
      this.exchange.write(Buffer.from(body));
      this.bytesSent = bytes;
    }
    this.exchange.end();
    this.record(status, reply.flag, reply.details);
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
    this.connection.deps.telemetry.requestEnded(this, { status, flag, details });
  }

  onData(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    this.call?.body.onData(chunk);
  }

  onBatch(): void {
    this.call?.body.onBatch();
  }

  onEnd(): void {
    this.call?.requestEnded();
  }

  onDrain(): void {
    this.call?.downstreamDrained();
  }

  onClose(error: HttpError | null): void {
    if (error === null) return;
    this.call?.abort();
    if (error.answered === null) this.record(0, 'DC', 'downstream_remote_disconnect');
    else {
      const { problem, bytesSent } = error.answered;
      this.bytesSent += bytesSent;
      this.record(problem.status, 'DPE', problem.details);
    }
  }
}
