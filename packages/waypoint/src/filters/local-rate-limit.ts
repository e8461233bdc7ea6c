import type { LocalRateLimit } from '@aquifer/wire/gen/envoy/extensions/filters/http/local_ratelimit/v3_pb';
import { durationMs } from '../compile/any.ts';
import { type HeaderMutation, responseMutation } from '../compile/header-mutation.ts';
import { ConfigProblem } from '../compile/problem.ts';
import { mutate } from '../request/headers.ts';
import { rateLimited } from '../request/outcome.ts';
import type { FilteredRequest } from './filtered-request.ts';
import { isDrawn, runtimeFractionOf } from './fraction.ts';

const GRPC_RESOURCE_EXHAUSTED = 8;

/** A bucket of tokens, of which each request takes one. One per thread: `CONCURRENCY` times as many pass in all. */
export class RateLimit {
  readonly #config: LocalRateLimit;
  readonly #responseHeaders: HeaderMutation | null;
  readonly #fillMs: number;
  readonly #perFill: number;
  readonly #max: number;
  #tokens: number;
  #filledAtMs: number = performance.now();

  /** Throws `ConfigProblem` for a bucket that cannot be filled. */
  constructor(config: LocalRateLimit, path: string) {
    const { tokenBucket: bucket } = config;
    if (bucket === undefined) throw new ConfigProblem(`${path}.token_bucket`, 'is required');
    this.#config = config;
    this.#max = bucket.maxTokens;
    this.#perFill = bucket.tokensPerFill ?? 1;
    this.#fillMs = durationMs(bucket.fillInterval) ?? 0;
    if (this.#fillMs < 50) {
      throw new ConfigProblem(`${path}.token_bucket.fill_interval`, 'is less than 50 ms');
    }
    this.#tokens = this.#max;
    this.#responseHeaders = responseMutation(config, path);
  }

  /** Answers 429 to what there is no token for. */
  answers(request: FilteredRequest): boolean {
    const { filterEnabled, filterEnforced, status, rateLimitedAsResourceExhausted } = this.#config;
    if (!isDrawn(runtimeFractionOf(filterEnabled, 0)) || this.#takeToken()) return false;
    if (!isDrawn(runtimeFractionOf(filterEnforced, 0))) return false;
    const code = status?.code ?? 0;
    const grpcStatus = rateLimitedAsResourceExhausted ? GRPC_RESOURCE_EXHAUSTED : null;
    request.changeAnswer((answer) => mutate(answer, this.#responseHeaders));
    request.reply(rateLimited(code >= 400 ? code : 429, grpcStatus));
    return true;
  }

  #takeToken(): boolean {
    const fills = Math.floor((performance.now() - this.#filledAtMs) / this.#fillMs);
    if (fills > 0) {
      this.#filledAtMs += fills * this.#fillMs;
      this.#tokens = Math.min(this.#max, this.#tokens + fills * this.#perFill);
    }
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
