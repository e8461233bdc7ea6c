// hot path: every log line
import { fstatSync, writeSync } from 'node:fs';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

/**
 * Lines on their way to standard output, of one thread. Writing never waits: a reader that is slow, or that has
 * stopped, costs lines, not traffic.
 *
 *   write(line) ─► open batch ─(16 KiB or 20 ms)─► waiting batches ─► descriptor, which does not block
 *
 * Always: lines of a thread arrive whole and in order. Never: two threads within each other's lines, for what a pipe
 * takes may end within one; a thread that has begun a line keeps the descriptor until it has ended it.
 */
const FLUSH_AFTER_MS = 20;
const BATCH_CHARS = 16_384;
/** Batches that are written in a row before other work has its turn. */
const BATCHES_PER_TURN = 16;
/** What a thread keeps for a reader that does not read; as Istio's ztunnel (spec ztunnel 9.2). */
const MAX_LINES = 10_000;
/** The same for very long lines. */
const MAX_BYTES = 16 * 1024 * 1024;
/** A process that ends waits so long for a reader. */
const LAST_LINES_MS = 500;
const RETRY_AT_END_MS = 5;

const STDOUT = 1;
const NEWLINE = 0x0a;
const WRITER = 0;
const DROPPED = 1;
const FREE = 0n;
const TAKEN = 1n;
/** Free, but what came last is the beginning of a line whose end could not be written, as on a disk that is full. */
const BROKEN = 2n;
const LINE_BREAK = Buffer.from('\n');
const STATE = 'aquifer/log-output';

/** Of all threads of the process: whether one is within a line, and how many lines were dropped. */
let state: BigInt64Array | null = null;

/** To be called before threads are started, so that they share it. */
export function shareLogOutput(): BigInt64Array {
  if (state !== null) return state;
  const inherited = isMainThread ? undefined : getEnvironmentData(STATE);
  if (inherited instanceof SharedArrayBuffer) {
    state = new BigInt64Array(inherited);
    return state;
  }
  const buffer = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT);
  state = new BigInt64Array(buffer);
  setEnvironmentData(STATE, buffer as unknown as string);
  if (isMainThread) stopBlocking();
  return state;
}

/** The metric of `droppedLogLines`; it is not Istio's, whose proxies wait for their reader. */
export const DROPPED_LINES_METRIC: { readonly name: string; readonly help: string } = {
  name: 'istio_log_lines_dropped_total',
  help: 'Log lines that were dropped because nobody read them in time.',
};

/** Lines that no thread could write, since the process began. */
export function droppedLogLines(): number {
  return Number(Atomics.load(shareLogOutput(), DROPPED));
}

/** Node makes pipes and sockets non-blocking when it opens them as a stream; files and terminals it does not. */
function stopBlocking(): void {
  const kind = fstatSync(STDOUT);
  if (kind.isFIFO() || kind.isSocket()) void process.stdout;
}

/** Whole lines, and how many. Bytes, for a queue of strings would be walked by every garbage collection. */
interface Batch {
  readonly bytes: Buffer;
  readonly lines: number;
}

export class LogOutput {
  readonly #describeLoss: (lines: number) => string;
  readonly #state = shareLogOutput();
  #openText = '';
  #openLines = 0;
  readonly #batches: Batch[] = [];
  /** In all batches. */
  #waitingLines = 0;
  #waitingBytes = 0;
  /** What is left of the batch that is being written. */
  #rest: Buffer | null = null;
  #ownsWriter = false;
  #isWithinLine = false;
  /** The line that came last was not ended by whoever began it. */
  #mustEndLine = false;
  /** Dropped since the last line that was taken. */
  #lost = 0;
  #timer: NodeJS.Timeout | null = null;
  #isWaiting = false;

  /** `describeLoss` makes the line that stands where others are missing. */
  constructor(describeLoss: (lines: number) => string) {
    this.#describeLoss = describeLoss;
    process.on('exit', () => this.#writeLast());
  }

  /** Takes one line, which ends in a newline, or drops it when too many wait. */
  write(line: string): void {
    if (this.#waitingLines >= MAX_LINES || this.#waitingBytes >= MAX_BYTES) {
      this.#lost += 1;
      Atomics.add(this.#state, DROPPED, 1n);
      return;
    }
    if (this.#lost > 0) this.#reportLoss();
    this.#add(line);
    if (this.#isWaiting) return;
    if (this.#batches.length > 0) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_AFTER_MS).unref();
  }

  #reportLoss(): void {
    const line = this.#describeLoss(this.#lost);
    this.#lost = 0;
    this.#add(line);
  }

  #add(line: string): void {
    this.#openText += line;
    this.#openLines += 1;
    if (this.#openText.length >= BATCH_CHARS) this.#closeBatch();
  }

  #closeBatch(): void {
    const batch = { bytes: Buffer.from(this.#openText), lines: this.#openLines };
    this.#openText = '';
    this.#openLines = 0;
    this.#batches.push(batch);
    this.#waitingLines += batch.lines;
    this.#waitingBytes += batch.bytes.length;
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#batches.length === 0 && this.#openText !== '') this.#closeBatch();
    const isTaken = this.#writeBatches();
    if (isTaken && this.#lost > 0 && this.#batches.length === 0) this.#reportLoss();
    this.#isWaiting = this.#rest !== null || this.#batches.length > 0;
    if (!this.#isWaiting && this.#openText === '') return;
    const afterMs = this.#isWaiting && isTaken ? 0 : FLUSH_AFTER_MS;
    this.#timer = setTimeout(() => this.#flush(), afterMs).unref();
  }

  /** Returns false when nothing more can be written now. */
  #writeBatches(): boolean {
    for (let count = 0; count < BATCHES_PER_TURN; count += 1) {
      if (!this.#writeBatch()) return false;
    }
    return true;
  }

  #writeBatch(): boolean {
    if (this.#rest === null && this.#batches.length === 0) return true;
    if (!this.#takeWriter()) return false;
    this.#rest ??= this.#nextBatch();
    if (this.#mustEndLine) this.#rest = Buffer.concat([LINE_BREAK, this.#rest]);
    this.#mustEndLine = false;
    const written = writeWithoutWaiting(this.#rest);
    if (written === null) {
      this.#rest = null;
      this.#releaseWriter(this.#isWithinLine ? BROKEN : FREE);
      this.#isWithinLine = false;
      return true;
    }
    if (written > 0) this.#isWithinLine = this.#rest[written - 1] !== NEWLINE;
    this.#rest = written === this.#rest.length ? null : this.#rest.subarray(written);
    if (!this.#isWithinLine) this.#releaseWriter(FREE);
    return this.#rest === null;
  }

  #nextBatch(): Buffer {
    const { bytes, lines } = this.#batches.shift()!;
    this.#waitingLines -= lines;
    this.#waitingBytes -= bytes.length;
    return bytes;
  }

  #takeWriter(): boolean {
    if (this.#ownsWriter) return true;
    this.#ownsWriter = Atomics.compareExchange(this.#state, WRITER, FREE, TAKEN) === FREE;
    if (this.#ownsWriter) return true;
    this.#ownsWriter = Atomics.compareExchange(this.#state, WRITER, BROKEN, TAKEN) === BROKEN;
    this.#mustEndLine = this.#ownsWriter;
    this.#isWithinLine = this.#ownsWriter;
    return this.#ownsWriter;
  }

  #releaseWriter(next: bigint): void {
    this.#ownsWriter = false;
    Atomics.store(this.#state, WRITER, next);
  }

  /** When the process or the thread ends there is no later: what can be written within the time is. */
  #writeLast(): void {
    if (this.#lost > 0) this.#reportLoss();
    if (this.#openText !== '') this.#closeBatch();
    const deadlineMs = performance.now() + LAST_LINES_MS;
    while (this.#rest !== null || this.#batches.length > 0) {
      if (this.#writeBatch()) continue;
      if (performance.now() > deadlineMs) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_AT_END_MS);
    }
  }
}

/** Bytes that were taken: 0 when the reader is behind, null if they cannot be written: then their lines count as dropped. */
function writeWithoutWaiting(bytes: Buffer): number | null {
  try {
    return writeSync(STDOUT, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    const lines = bytes.reduce((count, byte) => count + (byte === NEWLINE ? 1 : 0), 0);
    Atomics.add(shareLogOutput(), DROPPED, BigInt(lines));
    return null;
  }
}
