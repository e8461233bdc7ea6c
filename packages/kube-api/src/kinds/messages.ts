/**
 * The messages of the Kubernetes API, for every kind that is served: what each field is called, which number stands for
 * it in protobuf, what it holds and how it merges. The facts are in `gen/kubernetes-kinds.json`, which is made from the
 * published Go types by `test/generate/kubernetes-kinds.ts`; this says how to read them.
 */
import table from '../gen/kubernetes-kinds.json' with { type: 'json' };

/** How lists and maps merge, in patches and in server-side apply. */
export interface MergeHint {
  /** Server-side apply: items are told apart by `keys`, or by their value. Default: the list is owned as a whole. */
  readonly list?: 'map' | 'set';
  readonly keys?: readonly string[];
  /** Server-side apply: the map or object is owned as a whole. */
  readonly atomic?: true;
  /** Strategic merge patches: `merge`, `replace`, `retainKeys`, or two of them with a comma. */
  readonly strategy?: string;
  readonly mergeKey?: string;
  readonly default?: unknown;
}

/**
 * JSON name, type and hint of a field. A field without a name is part of its parent.
 *
 * `string`, `int32`, `int64`, `double`, `bool`, `bytes` (base64 in JSON) and `intOrString` are left out when they are zero
 * or empty, as Go's JSON does; with a `?` they are kept, because the Go field is a pointer or its JSON is never left out.
 * `quantity`, `time` and `microTime` have JSON forms of their own, and `json?` is any document.
 * A leading `[]` repeats, `{}` maps from strings, and `|` stands for a message of which JSON shows only the value of its
 * last field. Any other word names a message.
 */
export type FieldRow = readonly [name: string, type: string, hint?: MergeHint];

/** A message: its fields by number, and what holds for the whole of it. */
export interface Message {
  readonly fields: Readonly<Record<string, FieldRow>>;
  /** Server-side apply owns it as a whole. */
  readonly atomic: boolean;
  /** Its JSON has `apiVersion` and `kind`, which its protobuf has not. */
  readonly typed: boolean;
}

/** The name of the message that is a whole object, by `apiVersion/Kind`. */
export const kinds: Readonly<Record<string, string>> = table.kinds;

type MessageEntry = Readonly<Record<string, unknown>>;

function messageOf({ atomic, typed, ...fields }: MessageEntry): Message {
  return {
    fields: fields as Message['fields'],
    atomic: atomic === true,
    typed: typed === true,
  };
}

/** By name. */
export const messages: Readonly<Record<string, Message>> = Object.fromEntries(
  Object.entries(table.messages as Readonly<Record<string, MessageEntry>>).map(([name, entry]) => [
    name,
    messageOf(entry),
  ]),
);
