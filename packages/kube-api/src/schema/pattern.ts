/** Patterns of schemas: RE2, as in Kubernetes, so that none can be tried for ever. */
import { err, ok, type Result } from '@aquifer/model';
import { compiledPattern } from '@aquifer/model/expressions';

/** Whether the pattern is found in the text; an error for a pattern that is none, or too large. */
export function matchesPattern(source: string, text: string): Result<boolean, string> {
  try {
    return ok(compiledPattern(source).matcher(text).find());
  } catch (cause) {
    return err((cause as Error).message);
  }
}
