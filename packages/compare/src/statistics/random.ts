/** A source of numbers from 0 up to, but not including, 1. */
export type Random = () => number;

/** The same numbers for the same seed (mulberry32): a run can be repeated with the order that it logged. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The values in a random order, each order as likely as the others (Fisher and Yates). */
export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const mixed = [...values];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!];
  }
  return mixed;
}

/** Times of a Poisson process, in seconds from its begin, up to `seconds`: independent users who ask `rate` times a second in all. */
export function poissonArrivals(rate: number, seconds: number, random: Random): Float64Array {
  const times: number[] = [];
  let at = 0;
  for (;;) {
    at += -Math.log(1 - random()) / rate;
    if (at >= seconds) return Float64Array.from(times);
    times.push(at);
  }
}
