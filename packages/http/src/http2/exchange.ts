// hot path: what the user of a stream calls
import type {
  AnswerHead,
  BodyLength,
  BodyListener,
  RequestHead,
  ServerExchange,
} from '../exchange.ts';
import type { HeaderList } from '../headers.ts';
import type { ErrorReason, HttpError } from '../http-error.ts';
import { answerList } from './heads.ts';
import type { Http2Stream } from './stream.ts';

/** A stream for who sent its request. */
export class Http2ClientExchange {
  readonly #stream: Http2Stream;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
  }

  get isOver(): boolean {
    return this.#stream.isOver;
  }

  receive(listener: BodyListener): void {
    this.#stream.receiving.claim(listener);
  }

  pause(): void {
    this.#stream.receiving.pause();
  }

  resume(): void {
    this.#stream.receiving.resume();
  }

  write(chunk: Buffer): boolean {
    return this.#stream.sending.write(chunk);
  }

  flush(): void {
    // What is written leaves at the end of the turn anyway.
  }

  end(trailers: HeaderList | null = null): void {
    this.#stream.end(trailers);
  }

  reset(reason: ErrorReason = 'CANCEL'): void {
    this.#stream.reset(reason);
  }
}

/** A stream for who answers its request. */
export class Http2ServerExchange extends Http2ClientExchange implements ServerExchange {
  readonly head: RequestHead;
  readonly body: BodyLength;
  readonly #stream: Http2Stream;
  readonly #closeConnection: () => void;

  constructor(
    stream: Http2Stream,
    request: { readonly head: RequestHead; readonly body: BodyLength },
    closeConnection: () => void,
  ) {
    super(stream);
    this.#stream = stream;
    this.head = request.head;
    this.body = request.body;
    this.#closeConnection = closeConnection;
  }

  whenReset(listener: (error: HttpError) => void): void {
    this.#stream.receiving.whenReset(listener);
  }

  takeUpgrade(): void {
    // HTTP/2 has no upgrades (RFC 9113 section 8.6).
  }

  respondInterim(head: AnswerHead): void {
    this.#stream.sendInterim(answerList(head));
  }

  respond(head: AnswerHead, body: BodyLength): void {
    this.#stream.sendHead(answerList(head), body === 0);
  }

  closeAfterwards(): void {
    this.#closeConnection();
  }
}
