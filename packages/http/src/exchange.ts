import type { HeaderList } from './headers.ts';
import type { ErrorReason, HttpError } from './http-error.ts';

/**
 * An exchange: one request and its answer, in any version of HTTP, seen from either end. It is two half-streams:
 *
 * ```
 * receiving   awaiting-head ─► unclaimed ─receive()─► flowing ◄─pause(), resume()─► paused ─► over
 * sending     idle ─ head ─► open ◄─► blocked (what was written waits) ─end()─► ending ─► ended
 * ```
 * and from each of them to `over` and `cut` by a reset. What was received is told in the order in which it came: head,
 * body, trailers, end, close. What is sent leaves in the order in which it was given.
 */

/** Bytes of a body: 0 if nothing follows the head, null if only its end tells. */
export type BodyLength = number | null;

/** What a request asks. Names of fields are in lower case; `host` is not among them. */
export interface RequestHead {
  readonly method: string;
  /** Null where the request does not say. */
  readonly scheme: string | null;
  /** Host and port; null if the request names none. */
  readonly authority: string | null;
  /** Path and query, as sent; `*` for all of a server, empty for a plain CONNECT. */
  readonly path: string;
  /** What an extended CONNECT asks the stream to become (RFC 8441 section 4); else absent. */
  readonly protocol?: string;
  readonly headers: HeaderList;
}

/** What an answer begins with. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: HeaderList;
}

/** Takes what arrives behind a head, and hears when there is room for more of what it writes. */
export interface BodyListener {
  /** The bytes are valid until it returns. Never while paused. */
  onData(chunk: Buffer): void;
  /** What one read brought has been handed over: a chance to pass on what was gathered. */
  onBatch?(): void;
  /** Before the end. */
  onTrailers?(trailers: HeaderList): void;
  onEnd(): void;
  /** There is room again after `write` returned false. */
  onDrain(): void;
  /** The peer has said that the connection ends (GOAWAY). The exchange goes on; the next one needs another connection. */
  onConnectionEnding?(): void;
  /** Once, last: null after both halves have ended, else why they did not. Not after a reset from here. */
  onClose(error: HttpError | null): void;
}

/** Waits for the answer to a request. */
export interface AnswerListener {
  /** An interim answer (1xx), before the real one. */
  onInterim?(head: AnswerHead): void;
  /** The answer has begun; its body waits for `receive`. */
  onHead(head: AnswerHead, body: BodyLength): void;
  /** There is room again for the request's body. */
  onDrain?(): void;
  /** There will be no answer. Not after a reset from here. */
  onFailure(error: HttpError): void;
}

/** What both ends of an exchange can do. */
export interface Exchange {
  /** It was reset or lost, or both halves have ended. */
  readonly isOver: boolean;
  /** Takes the body and what follows it, of which nothing is told before. Once. */
  receive(listener: BodyListener): void;
  /** Keeps what arrives, its end included, and tells the peer to wait. */
  pause(): void;
  resume(): void;
  /** False when the caller should wait for `onDrain`. The chunk is taken all the same, and may be reused at once. */
  write(chunk: Buffer): boolean;
  /** Sends what was gathered: small pieces may wait for this or for `end`. */
  flush(): void;
  /** Ends this half behind what was written; the other half goes on. */
  end(trailers?: HeaderList): void;
  /** Gives up: nothing more is sent or told. Default reason: CANCEL. Drops what was received and not read. */
  reset(reason?: ErrorReason): void;
}

/** A request that arrived. */
export interface ServerExchange extends Exchange {
  readonly head: RequestHead;
  readonly body: BodyLength;
  /** Tells who has not called `receive` yet if the client gives up. */
  whenReset(listener: (error: HttpError) => void): void;
  /** What follows the head, both ways, is another protocol once 101 was answered. Only before anything has arrived of it. */
  takeUpgrade(): void;
  /** A head with 1xx, before the real one; leaves at once. */
  respondInterim(head: AnswerHead): void;
  /** Begins the answer; with a body of 0 nothing but `end` follows. The list of fields may be changed. */
  respond(head: AnswerHead, body: BodyLength): void;
  /** No request will be taken after this one on its connection. */
  closeAfterwards(): void;
}

/** How to send a request. */
export interface RequestOptions {
  readonly listener: AnswerListener;
  /** It asks for an upgrade: what follows is another protocol if the answer is 101. */
  readonly isUpgrade: boolean;
}

/** A connection that sends requests. */
export interface ClientConnection {
  /** Whether another request may be sent now. */
  readonly isUsable: boolean;
  /** Only while `isUsable`. The list of fields may be changed, to the same if it is given again. */
  request(head: RequestHead, body: BodyLength, options: RequestOptions): Exchange;
  /** Ends the connection when what it carries has ended. */
  close(): void;
  /** Ends everything now. */
  abort(): void;
}

/** How long a server waits for its clients, in ms; 0 for ever. */
export interface ServerTimes {
  /** From a head's first byte to its last, the first SETTINGS included. Default 60 s (Envoy: none, edge 60 s). */
  readonly headMs: number;
  /** From a request's head to the end of its body. Default 0 (as Envoy). */
  readonly requestMs: number;
  /** Without a byte of an exchange in either direction. Default 5 min (as Envoy). */
  readonly exchangeIdleMs: number;
  /** Without an exchange. Default 1 h (as Envoy). */
  readonly connectionIdleMs: number;
}

export const DEFAULT_SERVER_TIMES: ServerTimes = {
  headMs: 60_000,
  requestMs: 0,
  exchangeIdleMs: 300_000,
  connectionIdleMs: 3_600_000,
};
