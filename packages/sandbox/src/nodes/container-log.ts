/**
 * What a container wrote, one file per run, in the format that container runtimes use:
 * `2026-01-02T03:04:05.678901234Z stdout F line`; `P` marks a piece without its line end.
 */
import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import type { LogOptions } from '@aquifer/kube-api';

/** A file that grew to this size is set aside as `.1`, replacing an older one: the kubelet's default is 10 MiB too. */
const ROTATE_AT_BYTES = 10 * 1024 * 1024;
/** A longer line is written in pieces. */
const MAX_PIECE_CHARS = 16_384;

interface Entry {
  readonly time: string;
  readonly isWhole: boolean;
  readonly text: string;
}

export class ContainerLog {
  readonly #path: string;
  #file: number;
  #size = 0;
  #isClosed = false;
  readonly #pending = { stdout: '', stderr: '' };
  readonly #followers = new Set<(entry: Entry | null) => void>();

  /** Opens an empty log at `path`. */
  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'w');
  }

  write(stream: 'stdout' | 'stderr', text: string): void {
    const lines = (this.#pending[stream] + text).split('\n');
    this.#pending[stream] = lines.pop() ?? '';
    const time = timestamp();
    this.#append(
      stream,
      lines.map((line) => ({ time, isWhole: true, text: line })),
    );
    while (this.#pending[stream].length > MAX_PIECE_CHARS) {
      const piece = this.#pending[stream].slice(0, MAX_PIECE_CHARS);
      this.#pending[stream] = this.#pending[stream].slice(MAX_PIECE_CHARS);
      this.#append(stream, [{ time, isWhole: false, text: piece }]);
    }
  }

  /** Writes what has no line end yet and ends every follower. */
  close(): void {
    if (this.#isClosed) return;
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#pending[stream];
      if (rest !== '') this.#append(stream, [{ time: timestamp(), isWhole: false, text: rest }]);
    }
    this.#isClosed = true;
    closeSync(this.#file);
    for (const follow of this.#followers) follow(null);
    this.#followers.clear();
  }

  /** The text as `kubectl logs` prints it; with `follow` until the container ends or the reader goes away. */
  read(options: LogOptions): Readable {
    const output = new PassThrough();
    const budget = { bytes: options.limitBytes ?? Number.POSITIVE_INFINITY };
    for (const entry of select(parse(readFileSync(this.#path, 'utf8')), options)) {
      emit(output, entry, options, budget);
    }
    if (options.follow !== true || this.#isClosed) return output.end();
    const follow = (entry: Entry | null): void => {
      if (entry === null || budget.bytes <= 0) output.end();
      else emit(output, entry, options, budget);
    };
    this.#followers.add(follow);
    output.on('close', () => this.#followers.delete(follow));
    return output;
  }

  #append(stream: 'stdout' | 'stderr', entries: readonly Entry[]): void {
    if (entries.length === 0 || this.#isClosed) return;
    const text = entries
      .map((entry) => `${entry.time} ${stream} ${entry.isWhole ? 'F' : 'P'} ${entry.text}\n`)
      .join('');
    if (this.#size > ROTATE_AT_BYTES) this.#rotate();
    this.#size += writeSync(this.#file, text);
    for (const entry of entries) for (const follow of this.#followers) follow(entry);
  }

  #rotate(): void {
    closeSync(this.#file);
    renameSync(this.#path, `${this.#path}.1`);
    this.#file = openSync(this.#path, 'w');
    this.#size = 0;
  }
}

function parse(text: string): Entry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const afterTime = line.indexOf(' ');
      const afterStream = line.indexOf(' ', afterTime + 1);
      return {
        time: line.slice(0, afterTime),
        isWhole: line[afterStream + 1] === 'F',
        text: line.slice(afterStream + 3),
      };
    });
}

function select(entries: readonly Entry[], options: LogOptions): readonly Entry[] {
  const { sinceSeconds, tailLines } = options;
  const since =
    sinceSeconds === undefined ? '' : new Date(Date.now() - sinceSeconds * 1000).toISOString();
  const recent = since === '' ? entries : entries.filter(({ time }) => time >= since);
  if (tailLines === undefined) return recent;
  return tailLines <= 0 ? [] : recent.slice(-tailLines);
}

function emit(
  output: PassThrough,
  entry: Entry,
  options: LogOptions,
  budget: { bytes: number },
): void {
  if (budget.bytes <= 0) return;
  const prefix = options.timestamps === true ? `${entry.time} ` : '';
  const text = `${prefix}${entry.text}${entry.isWhole ? '\n' : ''}`;
  const bytes = Buffer.from(text).subarray(0, Math.min(budget.bytes, text.length * 4));
  budget.bytes -= bytes.length;
  output.write(bytes);
}

/** Now in RFC 3339 with nanoseconds, of which JavaScript knows the first three digits. */
function timestamp(): string {
  return new Date().toISOString().replace('Z', '000000Z');
}
