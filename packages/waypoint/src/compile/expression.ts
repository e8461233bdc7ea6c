import { RE2JS } from 're2js';
import { ConfigProblem } from './problem.ts';

/** Of one expression; what Istio allows Envoy for a program of RE2 (`re2.max_program_size.error_level`). */
const MAX_COST = 32_768;

/** Compiles a regular expression; throws `ConfigProblem` if it is none of RE2, or would take long to compile. */
export function compileExpression(expression: string, path: string): RE2JS {
  if (expressionCost(expression) > MAX_COST) {
    const length = expression.length;
    throw new ConfigProblem(
      path,
      `an expression of ${length} characters with its repetitions is too large`,
    );
  }
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    const shown = expression.length > 100 ? `${expression.slice(0, 100)}…` : expression;
    const reason = (error as Error).message.slice(0, 200);
    throw new ConfigProblem(path, `${JSON.stringify(shown)} is no RE2 expression: ${reason}`);
  }
}

const COUNTED = /\{(\d+)(?:,(\d*))?\}/y;

/** About the number of its steps when compiled: counted repetitions are written out. */
export function expressionCost(expression: string): number {
  // Of the groups that are open: what they cost so far, and what their last part does.
  const open: { cost: number; last: number }[] = [];
  let group = { cost: 0, last: 0 };
  for (let i = 0; i < expression.length; i++) {
    const character = expression[i];
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
      const [all, from, to] = COUNTED.exec(expression) ?? [];
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
