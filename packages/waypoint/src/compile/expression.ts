import { MAX_PATTERN_COST, patternCost } from '@aquifer/model/expressions';
import { RE2JS } from 're2js';
import { ConfigProblem } from './problem.ts';

/** Compiles a regular expression; throws `ConfigProblem` if it is none of RE2, or would take long to compile. */
export function compileExpression(expression: string, path: string): RE2JS {
  if (patternCost(expression) > MAX_PATTERN_COST) {
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
