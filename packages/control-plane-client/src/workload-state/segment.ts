// hot path: several look-ups for every connection
/**
 * A segment holds up to some thousand records (JSON of a workload or a service) and an index by the hashes of their
 * names, all in one block of memory that every thread reads and none copies:
 *
 *     head:    records, slots, where the texts begin, id of the segment
 *     records: id, died, text, names       four words each; one more ends the last
 *     names:   hash, hash, …               what each record is found by
 *     slots:   hash, record + 1            open addressing; 0 is free
 *     texts:   UTF-8
 *
 * Always: nothing of a segment changes once it is built, but for the word that says in which generation a record died.
 * It is written before anybody is told of that generation. A reader of an earlier one sees it or not, and either way
 * takes the record for alive.
 */
const HEAD_WORDS = 4;
const RECORD_WORDS = 4;
const ID = 0;
const DIED = 1;
const TEXT = 2;
const NAMES = 3;
const BYTES_PER_WORD = 4;
const NONE: readonly number[] = [];

/** 32-bit FNV-1a over UTF-16 code units. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  // The low bits choose the slot: let the high ones take part.
  return hash ^ (hash >>> 15);
}

export class Segment {
  readonly buffer: SharedArrayBuffer;
  readonly id: number;
  /** Records in it, whether they are alive or not. */
  readonly size: number;
  readonly #words: Int32Array;
  readonly #text: Buffer;
  readonly #slotsAt: number;
  readonly #mask: number;

  constructor(buffer: SharedArrayBuffer) {
    const words = new Int32Array(buffer, 0, (buffer.byteLength / BYTES_PER_WORD) | 0);
    const slots = words[1]!;
    this.buffer = buffer;
    this.id = words[3]!;
    this.size = words[0]!;
    this.#words = words;
    this.#text = Buffer.from(buffer, words[2]!);
    this.#slotsAt = words[2]! / BYTES_PER_WORD - 2 * slots;
    this.#mask = slots - 1;
  }

  /** Records that have a name of this hash and are alive in the generation, the oldest first. */
  find(hash: number, generation: number): readonly number[] {
    const words = this.#words;
    let found: number[] | null = null;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = this.#slotsAt + 2 * slot;
      const record = words[at + 1]! - 1;
      if (record < 0) return found ?? NONE;
      if (words[at] !== hash || !this.isAlive(record, generation)) continue;
      if (found === null) found = [record];
      else found.push(record);
    }
  }

  isAlive(record: number, generation: number): boolean {
    const died = this.#word(record, DIED);
    return died === 0 || died > generation;
  }

  /** Of the writer only: the record is not part of this generation and later ones. */
  markDied(record: number, generation: number): void {
    this.#words[HEAD_WORDS + RECORD_WORDS * record + DIED] = generation;
  }

  idOf(record: number): number {
    return this.#word(record, ID);
  }

  textOf(record: number): string {
    return this.#text.toString('utf8', this.#word(record, TEXT), this.#word(record + 1, TEXT));
  }

  bytesOf(record: number): Buffer {
    return this.#text.subarray(this.#word(record, TEXT), this.#word(record + 1, TEXT));
  }

  namesOf(record: number): Int32Array {
    return this.#words.subarray(this.#word(record, NAMES), this.#word(record + 1, NAMES));
  }

  #word(record: number, field: number): number {
    return this.#words[HEAD_WORDS + RECORD_WORDS * record + field]!;
  }
}

/** Collects records and builds a segment of them. Ids must grow. */
export class SegmentBuilder {
  readonly #ids: number[] = [];
  /** Written once, into the memory of the segment: a buffer that grows would leave holes of its former sizes. */
  readonly #texts: (string | Buffer)[] = [];
  readonly #textEnds: number[] = [];
  readonly #nameEnds: number[] = [];
  readonly #names: number[] = [];
  #textBytes = 0;

  get size(): number {
    return this.#ids.length;
  }

  add(id: number, hashes: Iterable<number>, text: string): void {
    this.#texts.push(text);
    this.#textBytes += Buffer.byteLength(text);
    this.#close(id, hashes);
  }

  /** Takes a record as it is. */
  copy(from: Segment, record: number): void {
    const bytes = from.bytesOf(record);
    this.#texts.push(bytes);
    this.#textBytes += bytes.length;
    this.#close(from.idOf(record), from.namesOf(record));
  }

  build(segmentId: number): Segment {
    const size = this.#ids.length;
    const namesAt = HEAD_WORDS + RECORD_WORDS * (size + 1);
    // At most half of the slots are taken.
    const slots = 2 ** Math.ceil(Math.log2(2 * this.#names.length + 1));
    const slotsAt = namesAt + this.#names.length;
    const textAt = (slotsAt + 2 * slots) * BYTES_PER_WORD;
    const buffer = new SharedArrayBuffer(textAt + this.#textBytes);
    const words = new Int32Array(buffer, 0, textAt / BYTES_PER_WORD);
    words.set([size, slots, textAt, segmentId]);
    for (let record = 0; record <= size; record++) {
      const at = HEAD_WORDS + RECORD_WORDS * record;
      words[at + ID] = this.#ids[record] ?? 0;
      words[at + TEXT] = this.#textEnds[record - 1] ?? 0;
      words[at + NAMES] = namesAt + (this.#nameEnds[record - 1] ?? 0);
    }
    words.set(this.#names, namesAt);
    this.#fillSlots(words, slotsAt, slots - 1);
    this.#writeTexts(Buffer.from(buffer, textAt));
    return new Segment(buffer);
  }

  #fillSlots(words: Int32Array, slotsAt: number, mask: number): void {
    let name = 0;
    for (const [record, end] of this.#nameEnds.entries()) {
      for (; name < end; name++) {
        const hash = this.#names[name]!;
        let slot = hash & mask;
        while (words[slotsAt + 2 * slot + 1] !== 0) slot = (slot + 1) & mask;
        words[slotsAt + 2 * slot] = hash;
        words[slotsAt + 2 * slot + 1] = record + 1;
      }
    }
  }

  #writeTexts(into: Buffer): void {
    let at = 0;
    for (const text of this.#texts) {
      if (typeof text === 'string') at += into.write(text, at);
      else {
        into.set(text, at);
        at += text.length;
      }
    }
  }

  #close(id: number, hashes: Iterable<number>): void {
    this.#ids.push(id);
    for (const hash of hashes) this.#names.push(hash);
    this.#nameEnds.push(this.#names.length);
    this.#textEnds.push(this.#textBytes);
  }
}
