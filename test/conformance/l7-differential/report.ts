import type { Case } from './cases.ts';
import type { Difference } from './differential.ts';

/** A difference as text from which it can be made again. */
export function describeDifference({ seed, made, routes, manager, lines }: Difference): string {
  const isNamed = (route: object): boolean => {
    const { name } = route as { readonly name: string };
    return lines.some((line) => line.endsWith(` ${name}`));
  };
  const named = routes.filter(isNamed);
  return [
    `seed ${seed}, case ${describeCase(made)}`,
    `manager ${JSON.stringify(manager)}`,
    ...(named.length > 0 ? named : routes).map(
      (route) => `route ${JSON.stringify(route).slice(0, 500)}`,
    ),
    ...lines,
  ].join('\n');
}

/** What is as usual is left out. */
function describeCase(made: Case): string {
  const isUsual = (value: unknown): boolean =>
    value === false || value === null || (Array.isArray(value) && value.length === 0);
  return JSON.stringify(made, (_, value: unknown) => (isUsual(value) ? undefined : value));
}
