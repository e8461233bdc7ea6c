/** Which logs are written, of all that is said in one place after another (Istio docs "Telemetry", access logging). */
import type { Telemetry } from '@aquifer/model/resources';
import type { MeshTelemetry } from './mesh-telemetry.ts';
import { holdsFor, namesOf, type Side } from './side.ts';

type AccessLogging = NonNullable<NonNullable<Telemetry['spec']>['accessLogging']>[number];

/** What a provider is told: nothing at all where it was turned off. */
export type LogChoice =
  | { readonly kind: 'off' }
  /** Of what the expression holds for; null for everything. */
  | { readonly kind: 'on'; readonly expression: string | null };

/**
 * By the names of providers. `places` are from the widest to the narrowest: the last one that names providers says which
 * count, and what is said of one later wins.
 */
export function mergedLogs(
  places: readonly (readonly AccessLogging[])[],
  side: Side,
  { defaultProviders }: Pick<MeshTelemetry, 'defaultProviders'>,
): ReadonlyMap<string, LogChoice> {
  const usual = defaultProviders.accessLogging;
  const said = places.filter((logging) => logging.length > 0);
  if (said.length === 0) return new Map(usual.map((name) => [name, EVERYTHING]));
  const counting = new Set(countingProviders(said, side, usual));
  const expressions = expressionsOf(said, side);
  const choices = new Map<string, LogChoice>();
  let names = usual;
  for (const logging of said.flat()) {
    // What names nobody means those that were named before it, whichever side that was for.
    names = namesOf(logging.providers, names);
    if (!holdsFor(logging.match?.mode, side)) continue;
    for (const name of names.filter((each) => counting.has(each))) {
      const expression = expressions.get(name) ?? null;
      choices.set(name, logging.disabled === true ? { kind: 'off' } : { kind: 'on', expression });
    }
  }
  return choices;
}

const EVERYTHING: LogChoice = { kind: 'on', expression: null };

function countingProviders(
  places: readonly (readonly AccessLogging[])[],
  side: Side,
  usual: readonly string[],
): readonly string[] {
  const named = places
    .map((place) =>
      place
        .filter(({ match }) => holdsFor(match?.mode, side))
        .flatMap(({ providers }) => namesOf(providers, [])),
    )
    .filter((names) => names.length > 0);
  return named.at(-1) ?? usual;
}

/** The last that is said where a provider is named. */
function expressionsOf(
  places: readonly (readonly AccessLogging[])[],
  side: Side,
): ReadonlyMap<string, string> {
  const expressions = new Map<string, string>();
  for (const { match, providers, filter } of places.flat()) {
    if (!holdsFor(match?.mode, side)) continue;
    for (const name of namesOf(providers, [])) {
      if (filter === undefined) expressions.delete(name);
      else expressions.set(name, filter.expression ?? '');
    }
  }
  return expressions;
}
