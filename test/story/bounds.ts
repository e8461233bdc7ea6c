import { isDeepStrictEqual } from 'node:util';
import type { Bound } from './chapter.ts';
import type { LoadResult } from './request-load.ts';

/** No fewer requests are made while something changes. */
export const FEWEST_REQUESTS = 1000;

/** Equal in every field. */
export function is<Measured>(expected: Measured): Bound<Measured> {
  return {
    says: JSON.stringify(expected),
    holds: (measured) => isDeepStrictEqual(measured, expected),
  };
}

/** Of what was found and what it is compared with: equal in every field. */
export const same: Bound<{ readonly found: unknown; readonly wanted: unknown }> = {
  says: 'what is wanted is found',
  holds: ({ found, wanted }) => isDeepStrictEqual(found, wanted),
};

export function atLeast(least: number, unit: string): Bound<number> {
  return {
    says: `at least ${least} ${unit}`,
    holds: (measured) => measured >= least,
    shown: (measured) => `${measured} ${unit}`,
  };
}

/** Of a load: enough requests, and none that failed. */
export const nothingFailed: Bound<LoadResult> = {
  says: `at least ${FEWEST_REQUESTS} requests, none that failed`,
  holds: ({ succeeded, failed }) => failed.length === 0 && succeeded >= FEWEST_REQUESTS,
  shown: ({ succeeded, failed }) => `${succeeded} requests, ${failed.length} failed`,
};

/** How long something took, and the longest that an answer took meanwhile on a connection that nothing touched. */
export interface Delay {
  readonly tookMs: number;
  readonly slowestAnswerMs: number;
}

const SECOND_MS = 1_000;
/** A processor that is shared by so many makes everything as much slower. */
const SLOW_ANSWERS = 10;

/** Within a second; on a machine so busy that an answer takes longer than a tenth of one, ten times that. */
export const withinASecond: Bound<Delay> = {
  says: `within ${SECOND_MS} ms, or ${SLOW_ANSWERS} times the slowest answer`,
  holds: ({ tookMs, slowestAnswerMs }) =>
    tookMs <= Math.max(SECOND_MS, SLOW_ANSWERS * slowestAnswerMs),
  shown: ({ tookMs, slowestAnswerMs }) =>
    `${tookMs} ms; the slowest answer meanwhile took ${slowestAnswerMs} ms`,
};
