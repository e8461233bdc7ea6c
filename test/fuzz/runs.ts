const SECONDS = Number(process.env.FUZZ_SECONDS ?? 0);

/**
 * How often a property is tried: `numRuns`, from one seed where that is given, so that a change is judged alike
 * everywhere; in a round of `npm run fuzz`, as often as its time allows, from a fresh seed.
 */
export function runs(numRuns: number, seed?: number) {
  if (SECONDS > 0) return { numRuns: 2 ** 31 - 1, interruptAfterTimeLimit: SECONDS * 1000 };
  return seed === undefined ? { numRuns } : { numRuns, seed };
}
