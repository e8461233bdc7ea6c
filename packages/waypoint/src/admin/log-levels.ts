import type { Logger } from '@aquifer/runtime';
import type { DataPlane } from '../data-plane/data-plane.ts';
import type { LogLevels } from './pages.ts';

const LIST = /^(?:[\w:-]+=)?(?:off|error|warn|info|debug|trace)$/;

/** Levels of the main thread and of those of the data plane. */
export class ProcessLevels implements LogLevels {
  readonly #log: Logger;
  readonly #dataPlane: DataPlane;
  #current: string;

  constructor(
    initial: string,
    { log, dataPlane }: { readonly log: Logger; readonly dataPlane: DataPlane },
  ) {
    this.#current = initial;
    this.#log = log;
    this.#dataPlane = dataPlane;
  }

  get current(): string {
    return this.#current;
  }

  change(levels: string): boolean {
    // Envoy knows some more.
    const list = levels.replaceAll('warning', 'warn').replaceAll('critical', 'error');
    if (!list.split(',').every((part) => LIST.test(part))) return false;
    this.#current = list;
    this.#log.setLevels(list);
    this.#dataPlane.setLogLevels(list);
    return true;
  }
}
