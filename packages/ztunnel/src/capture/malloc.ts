import koffi from 'koffi';

const trim = koffi.load('libc.so.6').func('int malloc_trim(size_t pad)') as (pad: number) => number;

/** Gives the kernel the pages that the C library keeps of what was freed, in every thread: it does not by itself. */
export function trimMalloc(): void {
  trim(0);
}
