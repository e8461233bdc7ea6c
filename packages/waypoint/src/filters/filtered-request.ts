import type { HeaderList } from '@aquifer/http';
import type { Verified } from '../compile/metadata-match.ts';
import type { MatchInput } from '../compile/string-match.ts';
import type { LocalReply } from '../request/outcome.ts';

/** A request as filters see it. */
export interface FilteredRequest extends MatchInput {
  readonly exchange: { readonly head: { readonly headers: HeaderList } };
  readonly clusterName: string | null;
  readonly scheme: string;
  /** In origin form; routes are not chosen again when it changes. */
  target: string;
  /** What its tokens say, by the name under which policies look for it; null if none was verified. */
  verified: Verified | null;
  /** Answers from here. */
  reply(reply: LocalReply, extraHeaders?: readonly string[]): void;
  /** Has the answer's fields changed, be it made here or upstream. */
  changeAnswer(change: (answer: HeaderList) => void): void;
  /** Of a filter that lets the request go on. */
  addFlag(flag: 'DI'): void;
  /** Waits before it goes on; `then` is not called if its client leaves. */
  waitFor(ms: number, then: () => void): void;
  /** The same for an answer, which must not fail. */
  waitForAnswer<Answer>(answer: Promise<Answer>, then: (answer: Answer) => void): void;
}
