// hot path: every connection through a tunnel
import {
  type AnswerHead,
  type AnswerListener,
  type Exchange,
  getHeader,
  type HeaderList,
  type Http2Connection,
  type HttpError,
  reasonOf,
} from '@aquifer/http';
import type { Identity, MeshError } from '@aquifer/model';
import { type HboneErrorCode, hboneError, toMeshError } from './errors.ts';

/** How long a peer may take to answer, in ms. */
export interface AnswerTimes {
  /** For TLS and the first SETTINGS together: a peer that accepts and then stays silent must not hold a caller for ever. */
  readonly handshakeMs: number;
  /** Without an answer to CONNECT for so long, the peer is asked whether it is there. */
  readonly probeAfterMs: number;
  /** Without any sign of life for so long after that, the tunnel is not used for the time being. */
  readonly signOfLifeMs: number;
  /** Beyond the 10 s that the peer waits for its application, and the 5 s for its control plane. */
  readonly deadlineMs: number;
}

/** What a CONNECT says. */
export interface ConnectHead {
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A stream that the peer accepted. What it carries waits for `exchange.receive`. */
export interface TunnelLease {
  readonly exchange: Exchange;
  /** Identity that the peer proved in the TLS handshake. */
  readonly peerIdentity: Identity;
  /** A field of the peer's answer; null if it is not there. */
  header(name: string): string | null;
}

/** Who asked for a stream. One of them is called, once. */
export interface ConnectWaiter {
  readonly head: ConnectHead;
  onConnected(lease: TunnelLease): void;
  /** `isUnanswered`: the peer did not look at it, or its tunnel ended or fell silent before the answer. */
  onFailed(error: MeshError<HboneErrorCode>, isUnanswered: boolean): void;
}

/**
 * One mTLS HTTP/2 connection to a peer, carrying many CONNECT streams. One timer serves all that wait for an answer, and
 * rests while nobody does.
 */
export class Tunnel {
  readonly peerIdentity: Identity;
  readonly #connection: Http2Connection;
  readonly #times: AnswerTimes;
  /** Those that wait, oldest first. */
  readonly #attempts = new AttemptList();
  #timer: NodeJS.Timeout | null = null;
  /** When the peer was asked for a sign of life, and what had been read then. */
  #probe: { readonly atMs: number; readonly reads: number } | null = null;
  /** What the connection had read when its peer was found silent. */
  #silentSinceRead: number | null = null;

  constructor(connection: Http2Connection, peerIdentity: Identity, times: AnswerTimes) {
    this.#connection = connection;
    this.peerIdentity = peerIdentity;
    this.#times = times;
  }

  get openStreams(): number {
    return this.#connection.openStreams;
  }

  /** False once the peer said GOAWAY, the connection failed, or it was closed here. */
  get isUsable(): boolean {
    return this.#connection.isOpen;
  }

  /** The peer did not answer when it was asked, and has not been heard of since. Its streams live on. */
  get isSilent(): boolean {
    return this.#silentSinceRead === this.#connection.reads;
  }

  /** Limit the peer set for concurrent streams. */
  get maxStreams(): number {
    return this.#connection.maxStreams;
  }

  /** Asks for a stream, which counts as open when this returns. The answer gives up by itself after a time. */
  connect(waiter: ConnectWaiter): ConnectAttempt {
    const attempt: ConnectAttempt = new ConnectAttempt(this, waiter, this.#attempts);
    const headers: HeaderList = [];
    for (const name of Object.keys(waiter.head.headers)) {
      headers.push(name, waiter.head.headers[name]!);
    }
    const { authority } = waiter.head;
    const head = { method: 'CONNECT', scheme: null, authority, path: '', headers };
    try {
      attempt.ask(this.#connection.request(head, null, { listener: attempt, isUpgrade: false }));
    } catch (error) {
      waiter.onFailed(toMeshError(error, 'http2 error'), true);
      return attempt;
    }
    this.#attempts.add(attempt);
    const { probeAfterMs, signOfLifeMs } = this.#times;
    this.#timer ??= setInterval(
      () => this.#check(),
      Math.min(probeAfterMs, signOfLifeMs) / 4,
    ).unref();
    return attempt;
  }

  /** Ends the connection once its streams have finished. */
  close(): void {
    this.#connection.close();
  }

  /** As `close`, and tells the peer at once. */
  leave(): void {
    this.#connection.leave();
  }

  abort(): void {
    this.#connection.abort();
  }

  #check(): void {
    const nowMs = performance.now();
    const { deadlineMs, probeAfterMs, signOfLifeMs } = this.#times;
    if (this.#attempts.first === null) {
      clearInterval(this.#timer!);
      this.#timer = null;
      this.#probe = null;
      return;
    }
    if (this.#probe !== null && nowMs - this.#probe.atMs >= signOfLifeMs) {
      if (this.#probe.reads === this.#connection.reads) this.#fallSilent(this.#probe.reads);
      this.#probe = null;
    }
    for (let each: ConnectAttempt | null = this.#attempts.first; each !== null; ) {
      const attempt: ConnectAttempt = each;
      each = attempt.next;
      const ageMs = nowMs - attempt.askedAtMs;
      if (ageMs < probeAfterMs) return;
      if (ageMs >= deadlineMs) {
        attempt.giveUp(
          hboneError('HB_NO_ANSWER', `no answer to CONNECT within ${deadlineMs / 1000} s`),
        );
      } else if (this.#probe === null) {
        this.#probe = { atMs: nowMs, reads: this.#connection.reads };
        this.#connection.ping();
      }
    }
  }

  #fallSilent(reads: number): void {
    this.#silentSinceRead = reads;
    const error = hboneError('HB_NO_ANSWER', 'the peer gives no sign of life');
    const askedBefore = this.#probe!.atMs;
    for (let each: ConnectAttempt | null = this.#attempts.first; each !== null; ) {
      const attempt: ConnectAttempt = each;
      each = attempt.next;
      if (attempt.askedAtMs <= askedBefore) attempt.giveUp(error);
    }
  }
}

/** Attempts linked to each other: a `Set` that changes with every connection keeps what left it alive for long. */
class AttemptList {
  first: ConnectAttempt | null = null;
  #last: ConnectAttempt | null = null;

  add(attempt: ConnectAttempt): void {
    attempt.previous = this.#last;
    if (this.#last === null) this.first = attempt;
    else this.#last.next = attempt;
    this.#last = attempt;
  }

  /** Does nothing if it is not there. */
  remove(attempt: ConnectAttempt): void {
    const { previous, next } = attempt;
    if (previous === null && this.first !== attempt) return;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    attempt.previous = null;
    attempt.next = null;
  }
}

/** A CONNECT that was sent, and waits for its answer. */
export class ConnectAttempt implements AnswerListener {
  /** For the list that it is in. */
  previous: ConnectAttempt | null = null;
  next: ConnectAttempt | null = null;
  readonly askedAtMs: number = performance.now();
  readonly #tunnel: Tunnel;
  readonly #waiter: ConnectWaiter;
  readonly #waiting: AttemptList;
  #exchange: Exchange | null = null;

  constructor(tunnel: Tunnel, waiter: ConnectWaiter, waiting: AttemptList) {
    this.#tunnel = tunnel;
    this.#waiter = waiter;
    this.#waiting = waiting;
  }

  ask(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  /** Takes the request back. */
  giveUp(error: MeshError<HboneErrorCode>): void {
    this.#exchange?.reset('CANCEL');
    this.#fail(error);
  }

  onHead({ status, headers }: AnswerHead): void {
    const exchange = this.#exchange!;
    if (status !== 200) {
      const text = `http status: ${status} ${reasonOf(status)}`;
      this.giveUp(hboneError('HB_REFUSED_STATUS', text));
      return;
    }
    this.#waiting.remove(this);
    this.#waiter.onConnected({
      exchange,
      peerIdentity: this.#tunnel.peerIdentity,
      header: (name) => getHeader(headers, name),
    });
  }

  onFailure(error: HttpError): void {
    this.#fail(toMeshError(error, 'http2 error'), error.isUnprocessed);
  }

  #fail(error: MeshError<HboneErrorCode>, isUnprocessed = false): void {
    this.#waiting.remove(this);
    const tunnel = this.#tunnel;
    const isFinal = error.code === 'HB_REFUSED_STATUS' || error.code === 'HB_GIVEN_UP';
    const isGone = !tunnel.isUsable || tunnel.isSilent;
    this.#waiter.onFailed(error, isUnprocessed || (!isFinal && isGone));
  }
}
