import { PassThrough, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import type { ContainerLog } from './container-log.ts';

/** What a container writes: into its log, and to whoever is attached, byte for byte. */
export class ContainerOutput {
  readonly #log: ContainerLog;
  readonly #attached = new Set<AttachedOutput>();

  constructor(log: ContainerLog) {
    this.#log = log;
  }

  /** Resolves when the source has ended. It is read only as fast as the slowest who is attached. Never rejects. */
  copy(source: Readable, stream: 'stdout' | 'stderr'): Promise<void> {
    const decoder = new StringDecoder('utf8');
    source.on('data', (chunk: Buffer) => {
      this.#log.write(stream, decoder.write(chunk));
      for (const attached of this.#attached) {
        const target = attached[stream];
        if (target.write(chunk)) continue;
        source.pause();
        const resume = (): void => void source.resume();
        target.once('drain', resume).once('close', resume);
      }
    });
    return finished(source, { writable: false }).catch(() => undefined);
  }

  /** What is written from now on, until `end` or until both streams are destroyed. */
  attach(): AttachedOutput {
    const attached = { stdout: new PassThrough(), stderr: new PassThrough() };
    this.#attached.add(attached);
    attached.stdout.once('close', () => this.#attached.delete(attached));
    return attached;
  }

  end(): void {
    for (const { stdout, stderr } of this.#attached) {
      stdout.end();
      stderr.end();
    }
    this.#attached.clear();
  }
}

export interface AttachedOutput {
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
}
