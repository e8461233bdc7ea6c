/** What amounts of resources must be (apimachinery `resource.Quantity`). */
import { quantityValue } from '@aquifer/model/kubernetes';
import { type JsonObject, objectOr, ownValue } from '../json.ts';
import { type Cause, invalidValue } from '../status.ts';

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
    const limit = ownValue(limits, name);
    if (limit !== undefined && quantityValue(amount) > quantityValue(limit)) {
      const why = `must be less than or equal to ${name} limit of ${String(limit)}`;
      causes.push(invalidValue(`${at}.requests`, String(amount), why));
    }
  }
  return causes;
}
