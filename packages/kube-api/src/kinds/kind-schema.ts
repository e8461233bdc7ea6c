/** OpenAPI schemas of the built-in kinds: their structure from the published types, words and demands from ours. */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { type FieldRow, kinds, type MergeHint, messages } from './messages.ts';

const ANYTHING: OpenApiSchema = { 'x-kubernetes-preserve-unknown-fields': true };

const scalars: Readonly<Record<string, OpenApiSchema>> = {
  string: { type: 'string' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bool: { type: 'boolean' },
  bytes: { type: 'string', format: 'byte' },
  quantity: { 'x-kubernetes-int-or-string': true },
  intOrString: { 'x-kubernetes-int-or-string': true },
  time: { type: 'string', format: 'date-time', nullable: true },
  microTime: { type: 'string', format: 'date-time', nullable: true },
  json: ANYTHING,
  // A schema within a schema has no end.
  JSONSchemaProps: { type: 'object', ...ANYTHING },
};

/** What our description of a kind says beyond its structure. */
const WORDS = ['description', 'required', 'enum'] as const;

function wordsOf(described: OpenApiSchema | undefined): OpenApiSchema {
  const words = WORDS.filter((word) => described?.[word] !== undefined);
  return Object.fromEntries(words.map((word) => [word, described?.[word]]));
}

function hinted({ list, keys, atomic, strategy, mergeKey, ...rest }: MergeHint): OpenApiSchema {
  return {
    ...(list === undefined ? {} : { 'x-kubernetes-list-type': list }),
    ...(keys === undefined ? {} : { 'x-kubernetes-list-map-keys': keys }),
    ...(atomic === undefined ? {} : { 'x-kubernetes-map-type': 'atomic' }),
    ...(strategy === undefined ? {} : { 'x-kubernetes-patch-strategy': strategy }),
    ...(mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
    ...rest,
  };
}

function typeSchema(type: string, described: OpenApiSchema | undefined): OpenApiSchema {
  const words = wordsOf(described);
  if (type.startsWith('[]')) {
    return { type: 'array', items: typeSchema(type.slice(2), described?.items), ...words };
  }
  if (type.startsWith('{}')) {
    const extra = described?.additionalProperties;
    const values = typeof extra === 'object' ? extra : undefined;
    return { type: 'object', additionalProperties: typeSchema(type.slice(2), values), ...words };
  }
  if (type.startsWith('|')) return choiceSchema(type.replace(/[|?]/g, ''), described);
  const scalar = scalars[type.replace('?', '')];
  return scalar === undefined ? messageSchema(type, described) : { ...scalar, ...words };
}

/** A list that protobuf wraps into a message is a list; what may be a document or something else may be anything. */
function choiceSchema(message: string, described: OpenApiSchema | undefined): OpenApiSchema {
  const [only, ...others] = Object.values(messages[message]?.fields ?? {});
  return only === undefined || others.length > 0 ? ANYTHING : typeSchema(only[1], described);
}

function properties(message: string, described: OpenApiSchema | undefined) {
  const fields = Object.values(messages[message]?.fields ?? {});
  return fields.flatMap(([name, type, hint = {}]: FieldRow): [string, OpenApiSchema][] =>
    name === ''
      ? properties(type, described)
      : [[name, { ...typeSchema(type, described?.properties?.[name]), ...hinted(hint) }]],
  );
}

function messageSchema(message: string, described: OpenApiSchema | undefined): OpenApiSchema {
  const { typed = false, atomic = false } = messages[message] ?? {};
  const own = Object.fromEntries(properties(message, described));
  const header = typed
    ? {
        apiVersion: typeSchema('string', described?.properties?.apiVersion),
        kind: typeSchema('string', described?.properties?.kind),
      }
    : {};
  return {
    type: 'object',
    properties: { ...header, ...own },
    ...(atomic ? { 'x-kubernetes-map-type': 'atomic' as const } : {}),
    ...wordsOf(described),
  };
}

/** The schema of a message, such as `ObjectMeta`, with the words of our own description of it. */
export function schemaOfMessage(message: string, described: OpenApiSchema): OpenApiSchema {
  return messageSchema(message, described);
}

/** The schema of a whole object of a built-in kind. Throws for a kind that the table lacks. */
export function schemaOfKind(
  apiVersion: string,
  kind: string,
  described: OpenApiSchema,
): OpenApiSchema {
  const message = kinds[`${apiVersion}/${kind}`];
  if (message === undefined) throw new Error(`${kind} of ${apiVersion} is not in kubernetes-kinds`);
  return messageSchema(message, described);
}
