import type { Labels } from '@aquifer/model/kubernetes';

/** Each label as one text, `key=value`. */
export function labelPairs(labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

export function isEmptyMap(labels: Labels | undefined): boolean {
  for (const _ in labels) return false;
  return true;
}
