import { flushCompileCache } from 'node:module';

const AFTER_START_MS = 1_500;

/**
 * Keeps compiled code for the next start where NODE_COMPILE_CACHE names a directory. Node writes it at exit only, and
 * a proxy that is killed would never leave any; the next start then loads the TypeScript compiler once more, about
 * 30 MB a thread.
 */
export function keepCompiledCode(): void {
  setTimeout(() => {
    flushCompileCache();
  }, AFTER_START_MS).unref();
}
