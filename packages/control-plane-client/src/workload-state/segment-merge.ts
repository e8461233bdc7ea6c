import { type Segment, SegmentBuilder } from './segment.ts';

/** About 12 MB of typical workloads: built or merged within a few milliseconds. */
export const MAX_RECORDS = 16_384;

/**
 * Two neighbours to put into one segment, by their place in the list; null if all is well. Few large segments make
 * look-ups cheap, and a record is copied only when its segment has grown to twice its size or half of it has died: about
 * once for each doubling.
 */
export function nextMerge(segments: readonly { alive: number; size: number }[]): number | null {
  for (let at = segments.length - 2; at >= 0; at--) {
    const [older, newer] = [segments[at]!, segments[at + 1]!];
    if (older.alive + newer.alive > MAX_RECORDS) continue;
    const isHalfDead = (each: typeof older) => each.size > 2 * each.alive;
    if (older.alive <= 2 * newer.alive || isHalfDead(older) || isHalfDead(newer)) return at;
  }
  return null;
}

/** One segment with what is alive in several neighbours, the oldest first. */
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
