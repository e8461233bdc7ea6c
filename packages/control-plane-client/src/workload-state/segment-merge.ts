import { type Segment, SegmentBuilder } from './segment.ts';

/** About 7 MB of typical workloads: built or merged within a few milliseconds. */
export const MAX_RECORDS = 8192;

interface SegmentSize {
  readonly size: number;
  readonly alive: number;
}

/** Segments to write anew as one: `count` of them, one or two, from the place `at` in the list. */
export interface Merge {
  readonly at: number;
  readonly count: number;
}

/**
 * What to merge next; null if all is well. Few large segments make look-ups cheap. A record is copied only when its
 * segment has grown to twice its size or half of it has died: about once for each doubling.
 */
export function nextMerge(segments: readonly SegmentSize[]): Merge | null {
  for (let at = segments.length - 2; at >= 0; at--) {
    const [older, newer] = [segments[at]!, segments[at + 1]!];
    if (older.alive + newer.alive > MAX_RECORDS) continue;
    const isDue = older.alive <= 2 * newer.alive || isHalfDead(older) || isHalfDead(newer);
    if (isDue) return { at, count: 2 };
  }
  const at = segments.findIndex(isHalfDead);
  return at < 0 ? null : { at, count: 1 };
}

function isHalfDead({ size, alive }: SegmentSize): boolean {
  return size > 2 * alive;
}

/** One segment with what is alive in neighbours, the oldest first. */
export function mergeSegments(
  parts: readonly Segment[],
  generation: number,
  segmentId: number,
): Segment {
  const builder = new SegmentBuilder();
  for (const part of parts) {
    for (let record = 0; record < part.size; record++) {
      if (part.isAlive(record, generation)) builder.copy(part, record);
    }
  }
  return builder.build(segmentId);
}
