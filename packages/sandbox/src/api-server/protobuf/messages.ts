/**
 * The messages of the Kubernetes API, for every kind that is served: which field number stands for which JSON name. The
 * facts are in `messages.json`; this says how to read them.
 */
import table from './messages.json' with { type: 'json' };

/**
 * JSON name and type of a field. A field without a name is part of its parent.
 *
 * `string`, `int`, `double`, `bool`, `bytes` (base64 in JSON) and `intOrString` are left out when they are zero or empty,
 * as Go's JSON does; with a `?` they are kept, because the Go field is a pointer or its JSON is never left out.
 * `quantity`, `time` and `microTime` have JSON forms of their own, and `json?` is any document.
 * A leading `[]` repeats, `{}` maps from strings, and `|` stands for a message of which JSON shows only the value of its
 * last field. Any other word names a message.
 */
export type FieldRow = readonly [name: string, type: string];

/** Fields by number. */
export type MessageTable = Readonly<Record<string, FieldRow>>;

/** The name of the message that is a whole object, by `apiVersion/Kind`. */
export const kinds: Readonly<Record<string, string>> = table.kinds;

/** By name. */
export const messages = table.messages as unknown as Readonly<Record<string, MessageTable>>;
