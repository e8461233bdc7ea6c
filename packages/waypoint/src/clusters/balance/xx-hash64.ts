// hot path: every request whose cluster balances by a hash
import type { Hash64 } from './hash64.ts';

/**
 * xxHash64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), which Envoy hashes requests and endpoints by. JavaScript
 * multiplies 32 bits at once, so a word is kept in two halves; all arithmetic is modulo 2^64.
 */
class Word {
  high = 0;
  low = 0;

  set(high: number, low: number): this {
    this.high = high >>> 0;
    this.low = low >>> 0;
    return this;
  }

  copy({ high, low }: Hash64): this {
    return this.set(high, low);
  }

  add({ high, low }: Hash64): this {
    const sum = this.low + low;
    return this.set(this.high + high + (sum > 0xffff_ffff ? 1 : 0), sum);
  }

  subtract({ high, low }: Hash64): this {
    return this.set(this.high - high - (this.low < low ? 1 : 0), this.low - low);
  }

  xor({ high, low }: Hash64): this {
    return this.set(this.high ^ high, this.low ^ low);
  }

  multiply({ high, low }: Hash64): this {
    const a0 = this.low & 0xffff;
    const a1 = this.low >>> 16;
    const b0 = low & 0xffff;
    const b1 = low >>> 16;
    const middle = a1 * b0 + ((a0 * b0) >>> 16);
    const carried = (middle & 0xffff) + a0 * b1;
    const top = a1 * b1 + (middle >>> 16) + (carried >>> 16);
    const crossed = Math.imul(this.high, low) + Math.imul(this.low, high);
    return this.set(top + crossed, Math.imul(this.low, low));
  }

  rotateLeft(bits: number): this {
    const { high, low } = this;
    return this.set((high << bits) | (low >>> (32 - bits)), (low << bits) | (high >>> (32 - bits)));
  }

  /** `bits` from 29 to 33, as the algorithm has them. */
  xorShiftedRight(bits: 29 | 32 | 33): this {
    const { high, low } = this;
    if (bits === 29) return this.set(high ^ (high >>> 29), low ^ ((low >>> 29) | (high << 3)));
    return this.set(high, low ^ (high >>> (bits - 32)));
  }

  /** Mixes in a lane of the input. */
  round(lane: Hash64): this {
    scratch.copy(lane).multiply(PRIME_2);
    return this.add(scratch).rotateLeft(31).multiply(PRIME_1);
  }
}

const PRIME_1: Hash64 = { high: 0x9e37_79b1, low: 0x85eb_ca87 };
const PRIME_2: Hash64 = { high: 0xc2b2_ae3d, low: 0x27d4_eb4f };
const PRIME_3: Hash64 = { high: 0x1656_67b1, low: 0x9e37_79f9 };
const PRIME_4: Hash64 = { high: 0x85eb_ca77, low: 0xc2b2_ae63 };
const PRIME_5: Hash64 = { high: 0x27d4_eb2f, low: 0x1656_67c5 };
const ZERO: Hash64 = { high: 0, low: 0 };

const scratch = new Word();
const lane = new Word();
const accumulators = [new Word(), new Word(), new Word(), new Word()] as const;
const MERGE_ROTATIONS = [1, 7, 12, 18] as const;

/** Of a text whose characters are bytes, as those of messages are. */
export function xxHash64(text: string, seed: Hash64 = ZERO): Hash64 {
  const { length } = text;
  const hash = new Word().copy(seed);
  let at = 0;
  if (length >= 32) {
    at = hashStripes(text, hash);
  } else hash.add(PRIME_5);
  hash.add(lane.set(0, length));
  for (; at + 8 <= length; at += 8) {
    readLane(text, at);
    const part = accumulators[0].copy(ZERO).round(lane);
    hash.xor(part).rotateLeft(27).multiply(PRIME_1).add(PRIME_4);
  }
  if (at + 4 <= length) {
    hash.xor(lane.set(0, read32(text, at)).multiply(PRIME_1));
    hash.rotateLeft(23).multiply(PRIME_2).add(PRIME_3);
    at += 4;
  }
  for (; at < length; at += 1) {
    hash.xor(lane.set(0, text.charCodeAt(at) & 0xff).multiply(PRIME_5));
    hash.rotateLeft(11).multiply(PRIME_1);
  }
  hash.xorShiftedRight(33).multiply(PRIME_2);
  hash.xorShiftedRight(29).multiply(PRIME_3);
  return hash.xorShiftedRight(32);
}

/** Hashes the whole stripes of 32 bytes; returns where they end. */
function hashStripes(text: string, hash: Word): number {
  const [one, two, three, four] = accumulators;
  three.copy(hash);
  two.copy(hash).add(PRIME_2);
  one.copy(two).add(PRIME_1);
  four.copy(hash).subtract(PRIME_1);
  let at = 0;
  for (; at + 32 <= text.length; at += 32) {
    for (let i = 0; i < 4; i++) {
      readLane(text, at + i * 8);
      accumulators[i]!.round(lane);
    }
  }
  hash.copy(ZERO);
  for (let i = 0; i < 4; i++) {
    hash.add(lane.copy(accumulators[i]!).rotateLeft(MERGE_ROTATIONS[i]!));
  }
  for (const accumulator of accumulators) {
    lane.copy(ZERO).round(accumulator);
    hash.xor(lane).multiply(PRIME_1).add(PRIME_4);
  }
  return at;
}

function readLane(text: string, at: number): void {
  lane.set(read32(text, at + 4), read32(text, at));
}

/** Little-endian. */
function read32(text: string, at: number): number {
  return (
    (text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    ((text.charCodeAt(at + 3) & 0xff) << 24)
  );
}
