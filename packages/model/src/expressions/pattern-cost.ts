/** Of one regular expression; what Istio allows Envoy for a program of RE2 (`re2.max_program_size.error_level`). */
export const MAX_PATTERN_COST = 32_768;

const COUNTED = /\{(\d+)(?:,(\d*))?\}/y;

/** About the number of its steps when compiled: counted repetitions are written out. */
export function patternCost(pattern: string): number {
  // Of the groups that are open: what they cost so far, and what their last part does.
  const open: { cost: number; last: number }[] = [];
  let group = { cost: 0, last: 0 };
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i];
    if (character === '(') {
      open.push(group);
      group = { cost: 0, last: 0 };
      continue;
    }
    let cost = 1;
    if (character === ')') {
      cost += group.cost;
      group = open.pop() ?? group;
    } else if (character === '\\') i += 1;
    else if (character === '{') {
      COUNTED.lastIndex = i;
      const [all, from, to] = COUNTED.exec(pattern) ?? [];
      if (all !== undefined) {
        i += all.length - 1;
        group.cost += group.last * Number(to || from);
        continue;
      }
    }
    group = { cost: group.cost + cost, last: cost };
  }
  return open.reduce((sum, { cost }) => sum + cost, group.cost);
}
