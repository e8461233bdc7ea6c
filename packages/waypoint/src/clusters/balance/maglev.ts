// hot path: picks a host for every attempt
import type { Balanced, Balancer, Share } from './balancer.ts';
import { type Hash64, randomHash, remainder } from './hash64.ts';
import { xxHash64 } from './xx-hash64.ts';

const ONE: Hash64 = { high: 0, low: 1 };

/**
 * A table that hosts fill in turns, each in an order of its own; a request goes to the host in its place (Envoy's
 * `MaglevLoadBalancer`, after "Maglev: A Fast and Reliable Software Network Load Balancer").
 */
export class Maglev<H extends Balanced> implements Balancer<H> {
  readonly #hosts: readonly H[];
  /** Indexes of hosts. */
  readonly #table: Uint16Array | Uint32Array;
  readonly #random: () => number;

  /** `tableSize` is prime. */
  constructor(shares: readonly Share<H>[], tableSize: number, random: () => number) {
    const sorted = shares.toSorted((one, other) =>
      one.host.hashKey < other.host.hashKey ? -1 : 1,
    );
    this.#hosts = sorted.map(({ host }) => host);
    this.#table = tableOf(sorted, tableSize);
    this.#random = random;
  }

  choose(key: Hash64 | null, attempt: number): H {
    const { high, low } = key ?? randomHash(this.#random);
    // The number of the attempt, taken from 2^64, changes most bits.
    const place =
      attempt === 0 ? { high, low } : { high: ~high >>> 0, low: (low ^ -attempt) >>> 0 };
    return this.#hosts[this.#table[remainder(place, this.#table.length)]!]!;
  }
}

function tableOf<H extends Balanced>(
  shares: readonly Share<H>[],
  size: number,
): Uint16Array | Uint32Array {
  const table = shares.length < 0xffff ? new Uint16Array(size) : new Uint32Array(size);
  const empty = shares.length;
  table.fill(empty);
  const largest = shares.reduce((max, { part }) => Math.max(max, part), 0);
  const entries = shares.map(({ host, part }) => ({
    part,
    /** Of all turns so many are this host's that its part stays below what it has been given. */
    given: 0,
    at: remainder(xxHash64(host.hashKey), size),
    step: remainder(xxHash64(host.hashKey, ONE), size - 1) + 1,
  }));
  let filled = 0;
  for (let turn = 1; filled < size; turn++) {
    for (let i = 0; i < entries.length && filled < size; i++) {
      const entry = entries[i]!;
      if (turn * entry.part < entry.given) continue;
      entry.given += largest;
      while (table[entry.at] !== empty) entry.at = (entry.at + entry.step) % size;
      table[entry.at] = i;
      filled += 1;
    }
  }
  return table;
}
