import { expect, test } from 'vitest';
import { AppliedExample, hasInside } from './applied.ts';
import { DESTINATION_RULES } from './destination-rule.ts';
import type { Example, Promised } from './example.ts';
import { ROUTES } from './routes.ts';
import { SECURITY } from './security.ts';
import { SERVICE_ENTRIES } from './service-entry.ts';
import { SCOPES } from './sidecar-and-gateway.ts';
import { VIRTUAL_SERVICES } from './virtual-service.ts';

const EXAMPLES: readonly Example[] = [
  ...VIRTUAL_SERVICES,
  ...DESTINATION_RULES,
  ...SERVICE_ENTRIES,
  ...SCOPES,
  ...SECURITY,
  ...ROUTES,
];

/** What is missing, to be read in a failure; null if the promise is kept. */
function broken(promised: Promised, example: AppliedExample): unknown {
  const found = example.find(promised);
  if ('is' in promised) return found === undefined ? null : { promised, found };
  if ('says' in promised) {
    const messages = found as readonly { readonly message: string }[];
    return messages.some(({ message }) => message.includes(promised.says))
      ? null
      : { promised, found };
  }
  if ('hasNo' in promised) {
    return found !== undefined && !hasInside(found, promised.hasNo) ? null : { promised, found };
  }
  return hasInside(found, promised.has) ? null : { promised, found };
}

test.for(EXAMPLES)('$kind: $shows', ({ given, promises }) => {
  const example = new AppliedExample(given);
  for (const promised of promises) expect(broken(promised, example)).toBeNull();
});
