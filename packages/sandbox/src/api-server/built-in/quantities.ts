/** Amounts of resources (apimachinery `resource.Quantity`), as far as they are compared. */
import { type JsonObject, objectOr } from '../json.ts';
import { type Cause, invalidValue } from '../status.ts';

const suffixes: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const quantity = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([numkMGTPE]?|[KMGTPE]i)$/;

/** The amount as a number; NaN for what is no quantity. */
function quantityValue(text: unknown): number {
  const match = quantity.exec(String(text));
  if (match === null) return Number.NaN;
  return Number(match[1]) * (suffixes[match[2] ?? ''] ?? Number.NaN);
}

/** Requests beyond their limits, and amounts below zero. */
export function resourceCauses(resources: JsonObject, at: string): Cause[] {
  const limits = objectOr(resources.limits);
  const causes: Cause[] = [];
  for (const list of ['limits', 'requests']) {
    for (const [name, amount] of Object.entries(objectOr(resources[list]))) {
      if (quantityValue(amount) < 0) {
        const why = 'must be greater than or equal to 0';
        causes.push(invalidValue(`${at}.${list}[${name}]`, String(amount), why));
      }
    }
  }
  for (const [name, amount] of Object.entries(objectOr(resources.requests))) {
    const limit = limits[name];
    if (limit !== undefined && quantityValue(amount) > quantityValue(limit)) {
      const why = `must be less than or equal to ${name} limit of ${String(limit)}`;
      causes.push(invalidValue(`${at}.requests`, String(amount), why));
    }
  }
  return causes;
}
