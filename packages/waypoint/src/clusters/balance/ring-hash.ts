// hot path: picks a host for every attempt
import type { Balanced, Balancer, HashSettings, Share } from './balancer.ts';
import { type Hash64, randomHash } from './hash64.ts';
import { xxHash64 } from './xx-hash64.ts';

type Settings = Extract<HashSettings, { kind: 'ring-hash' }>;

/**
 * Hosts at many places of a ring, each where `key_0`, `key_1` and so on are hashed to; a request goes to the first one
 * behind its own place (Envoy's `RingHashLoadBalancer`, so that the same requests go to the same hosts as there).
 */
export class RingHash<H extends Balanced> implements Balancer<H> {
  readonly #hosts: H[] = [];
  readonly #highs: Uint32Array;
  readonly #lows: Uint32Array;
  readonly #random: () => number;

  constructor(shares: readonly Share<H>[], settings: Settings, random: () => number) {
    this.#random = random;
    const places = placesOf(shares, settings);
    places.sort((one, other) => one.at.high - other.at.high || one.at.low - other.at.low);
    this.#highs = Uint32Array.from(places, ({ at }) => at.high);
    this.#lows = Uint32Array.from(places, ({ at }) => at.low);
    for (const { host } of places) this.#hosts.push(host);
  }

  choose(key: Hash64 | null, attempt: number): H {
    const at = this.#firstFrom(key ?? randomHash(this.#random));
    return this.#hosts[(at + attempt) % this.#hosts.length]!;
  }

  /** Index of the first place at or behind `key`; behind the last one is the first. */
  #firstFrom({ high, low }: Hash64): number {
    let first = 0;
    let end = this.#hosts.length;
    while (first < end) {
      const middle = (first + end) >>> 1;
      const difference = this.#highs[middle]! - high || this.#lows[middle]! - low;
      if (difference < 0) first = middle + 1;
      else end = middle;
    }
    return first === this.#hosts.length ? 0 : first;
  }
}

interface Place<H> {
  readonly at: Hash64;
  readonly host: H;
}

/** The host with the smallest part has a whole number of places; those of the others are rounded as they add up. */
function placesOf<H extends Balanced>(
  shares: readonly Share<H>[],
  { minRingSize, maxRingSize }: Settings,
): Place<H>[] {
  const least = shares.reduce((min, { part }) => Math.min(min, part), 1);
  const scale = Math.min(Math.ceil(least * minRingSize) / least, maxRingSize);
  const places: Place<H>[] = [];
  let wanted = 0;
  for (const { host, part } of shares) {
    wanted += scale * part;
    for (let i = 0; places.length < wanted; i++) {
      places.push({ at: xxHash64(`${host.hashKey}_${i}`), host });
    }
  }
  return places;
}
