/** Whose fault a failure is, seen from the proxy or control plane that reports it. */
export type ErrorOrigin = 'downstream' | 'upstream' | 'control-plane' | 'internal';

/**
 * Whether what failed may be tried again: `safe` if nothing of it was processed, `if-reused` if that is certain only for
 * a connection that had served others before, `never` if the answer would be the same, or may have had an effect.
 */
export type RetryRule = 'never' | 'if-reused' | 'safe';

/** What a package's `errors.ts` says about each of its codes, beside whatever else it needs there (a status, a flag). */
export interface ErrorFacts {
  readonly origin: ErrorOrigin;
  readonly retry: RetryRule;
}

/**
 * The one error of the mesh. Each package lists its codes, with its prefix (`HB_`, `ZT_`, `WP_`, `CP_`), in a table of
 * `ErrorFacts`; each code has a heading in `docs/errors.md`. `message` is what logs show.
 */
export class MeshError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly origin: ErrorOrigin;
  readonly retry: RetryRule;

  constructor(code: Code, message: string, facts: ErrorFacts & { readonly cause?: unknown }) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'MeshError';
    this.code = code;
    this.origin = facts.origin;
    this.retry = facts.retry;
  }
}
