/**
 * The shape that a value from outside may have. Always: what is stored has it, and so has what is on its way there; what walks
 * over objects calls itself for every level.
 */
import { badRequest } from './status.ts';

/** Of objects and lists in each other; schemas in definitions have the most, some dozens. */
const MAX_LEVELS = 300;
/** Values of all levels; a body of 3 MiB can have more only by aliases of YAML. */
const MAX_VALUES = 2_000_000;

/** Throws 400 for a value that goes too deep, has too many parts, or a key that is no name in this program. */
export function checkShape(root: unknown): void {
  let left = MAX_VALUES;
  const visit = (value: unknown, levels: number): void => {
    left--;
    if (typeof value !== 'object' || value === null) return;
    if (levels === 0) throw badRequest(`exceeded max depth: ${MAX_LEVELS} levels are read`);
    if (left < 0) throw badRequest(`too large: ${MAX_VALUES} values are read`);
    if (Object.hasOwn(value, '__proto__')) {
      throw badRequest('a field cannot have the name "__proto__"');
    }
    for (const part of Object.values(value)) visit(part, levels - 1);
  };
  visit(root, MAX_LEVELS);
}
