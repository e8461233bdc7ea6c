/**
 * Whether everything that `wanted` says stands in `actual` too: the API server adds defaults, which are no difference.
 * Lists must have the same length, and the same items in the same order.
 */
export function isContained(wanted: unknown, actual: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || wanted.length !== actual.length) return false;
    return wanted.every((item, index) => isContained(item, actual[index]));
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === actual;
  if (typeof actual !== 'object' || actual === null) return Object.keys(wanted).length === 0;
  return Object.entries(wanted).every(([key, value]) =>
    isContained(value, (actual as Readonly<Record<string, unknown>>)[key]),
  );
}

/** The part of an entry of `managedFields` that is read. */
interface AppliedEntry {
  readonly manager?: string;
  readonly fieldsV1?: unknown;
}

/**
 * Whether everything that the manager once applied to the object is still in `wanted`: what is not must be applied away.
 * Of an object that does not say who applied what, it is.
 */
export function isAllWanted(
  wanted: object,
  actual: { readonly metadata: { readonly managedFields?: readonly unknown[] | undefined } },
  manager: string,
): boolean {
  const entries = (actual.metadata.managedFields ?? []) as readonly AppliedEntry[];
  return entries.every((entry) => entry.manager !== manager || areFieldsIn(entry.fieldsV1, wanted));
}

/** `fields` as in `fieldsV1`: `f:name` is a field, `k:{…}` an item by its keys, `v:…` an item by its value. */
function areFieldsIn(fields: unknown, value: unknown): boolean {
  if (typeof fields !== 'object' || fields === null) return true;
  return Object.entries(fields).every(([element, inner]) => {
    if (element === '.') return true;
    const [kind, text] = [element.slice(0, 2), element.slice(2)];
    if (kind === 'f:') {
      const field = (value as Readonly<Record<string, unknown>> | undefined)?.[text];
      return field !== undefined && areFieldsIn(inner, field);
    }
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    if (kind === 'v:') return items.includes(JSON.parse(text));
    const found = items.find((item) => hasKeys(item, JSON.parse(text) as object));
    return kind !== 'k:' || (found !== undefined && areFieldsIn(inner, found));
  });
}

/** A key that the item leaves to its default counts as equal. */
function hasKeys(item: unknown, keys: object): boolean {
  return Object.entries(keys).every(([name, key]) => {
    const own = (item as Readonly<Record<string, unknown>> | null)?.[name];
    return own === undefined || own === key;
  });
}
