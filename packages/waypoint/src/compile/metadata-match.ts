import type { MetadataMatcher, ValueMatcher } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { ConfigProblem } from './problem.ts';
import { compileStringMatch } from './string-match.ts';

/** Objects that somebody has verified, by their names: what a JWT says. */
export type Verified = Readonly<Record<string, unknown>>;

const JWT = 'envoy.filters.http.jwt_authn';

type ValueTest = (value: unknown) => boolean;

/** Of what is not there nothing is true. */
export function compileMetadataMatch(
  matcher: MetadataMatcher,
  path: string,
): (verified: Verified | null) => boolean {
  if (matcher.filter !== JWT) {
    throw new ConfigProblem(`${path}.filter`, `${matcher.filter} writes nothing here`);
  }
  const names = matcher.path.map(({ segment }) => segment.value ?? '');
  const matches = valueTest(matcher.value, `${path}.value`);
  return (verified) => matches(valueAt(verified, names));
}

function valueAt(from: unknown, names: readonly string[]): unknown {
  let value = from;
  for (const name of names) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isObject || !Object.hasOwn(value as object, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

function valueTest(matcher: ValueMatcher | undefined, path: string): ValueTest {
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case 'stringMatch': {
      const matches = compileStringMatch(pattern.value, `${path}.string_match`);
      return (value) => typeof value === 'string' && matches(Buffer.from(value).toString('latin1'));
    }
    case 'listMatch': {
      const one = pattern.value.matchPattern.value;
      const matches = valueTest(one, `${path}.list_match.one_of`);
      return (value) => Array.isArray(value) && value.some(matches);
    }
    case 'orMatch': {
      const tests = pattern.value.valueMatchers.map((inner, i) =>
        valueTest(inner, `${path}.or_match[${i}]`),
      );
      return (value) => tests.some((test) => test(value));
    }
    default:
      throw new ConfigProblem(path, 'value matcher of a kind that is not supported');
  }
}
