/** What is not followed of an object, as one condition. */
import type { WantedCondition } from './condition-wish.ts';

/** Of one object; a status with thousands of sentences is larger than the API server stores. */
const SAID_PROBLEMS = 20;

/** None without a problem. Each problem is a sentence that begins with the field. */
export function unsupportedCondition(
  type: string,
  problems: readonly string[],
  generation = 0,
): readonly WantedCondition[] {
  if (problems.length === 0) return [];
  return [
    {
      type,
      status: 'False',
      reason: 'UnsupportedValue',
      message: sentences(problems),
      observedGeneration: String(generation),
    },
  ];
}

function sentences(problems: readonly string[]): string {
  const more = problems.length - SAID_PROBLEMS;
  const said = problems.slice(0, SAID_PROBLEMS);
  return [...said, ...(more > 0 ? [`And ${more} more like these`] : [])].join('. ');
}
