// hot path: a line for every request
import type { SubstitutionFormatString } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { compileOperator, type Operator } from './access-operators.ts';
import type { AccessRecord } from './access-record.ts';
import { ConfigProblem } from './problem.ts';

/** Text with commands of Envoy, filled in. */
export type Line = (record: AccessRecord) => string;

/** What Envoy writes unless told otherwise (Envoy docs "Access logging", default format string). */
export const DEFAULT_LINE: Line = compileText(
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
    '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
    '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n',
  'log_format',
);

/** Operators without a value print `-`, and null in JSON; or nothing, where empty values are omitted. */
export function compileLine(config: SubstitutionFormatString, path: string): Line {
  const { format, omitEmptyValues } = config;
  if (format.case === 'jsonFormat') return compileJson(format.value, path, omitEmptyValues);
  const empty = omitEmptyValues ? '' : '-';
  const source = format.value?.specifier;
  if (source?.case === 'inlineString') return compileText(source.value, path, empty);
  if (source?.case === 'inlineBytes') {
    return compileText(Buffer.from(source.value).toString(), path, empty);
  }
  throw new ConfigProblem(path, 'has no text');
}

interface Step {
  readonly before: string;
  readonly operator: Operator;
}

/** Text and commands in turn; what follows the last command is `tail`. */
function parse(
  format: string,
  path: string,
): { readonly steps: readonly Step[]; readonly tail: string } {
  const parts = format.split(/%([A-Z_0-9]+(?:\((?:[^()]|\([^()]*\))*\))?(?::\d+)?)%/);
  const steps = parts.flatMap((part, i) =>
    i % 2 === 0 ? [] : [{ before: parts[i - 1]!, operator: compileOperator(part, path) }],
  );
  return { steps, tail: parts.at(-1)! };
}

/** `empty` stands for what has no value. */
export function compileText(format: string, path: string, empty = '-'): Line {
  const { steps, tail } = parse(format, path);
  return (record) => {
    let line = '';
    for (const { before, operator } of steps) line += `${before}${operator(record) ?? empty}`;
    return line + tail;
  };
}

/** Null for a member that is left out. */
type JsonPart = (record: AccessRecord) => string | null;

/** Keys in order; a value that is one command keeps its type. */
function compileJson(format: JsonObject, path: string, omitsEmpty: boolean): Line {
  const part = jsonPart(format, path, omitsEmpty);
  return (record) => `${part(record) ?? '{}'}\n`;
}

function jsonPart(value: JsonValue, path: string, omitsEmpty: boolean): JsonPart {
  if (typeof value === 'string') return jsonText(value, path, omitsEmpty);
  if (value === null || typeof value !== 'object') {
    const text = JSON.stringify(value);
    return () => text;
  }
  if (Array.isArray(value)) {
    const items = value.map((item, i) => jsonPart(item, `${path}[${i}]`, omitsEmpty));
    return (record) => `[${items.map((item) => item(record) ?? 'null').join(',')}]`;
  }
  const members = Object.keys(value)
    .toSorted()
    .map((key) => ({
      key: JSON.stringify(key),
      part: jsonPart(value[key]!, `${path}.${key}`, omitsEmpty),
    }));
  return (record) => {
    const said = members.flatMap(({ key, part }) => {
      const text = part(record);
      return text === null ? [] : [`${key}:${text}`];
    });
    return `{${said.join(',')}}`;
  };
}

function jsonText(format: string, path: string, omitsEmpty: boolean): JsonPart {
  const { steps, tail } = parse(format, path);
  const [only] = steps;
  if (steps.length === 1 && only!.before === '' && tail === '') {
    return (record) => {
      const value = only!.operator(record);
      return value === null && omitsEmpty ? null : JSON.stringify(value);
    };
  }
  const text = compileText(format, path, omitsEmpty ? '' : '-');
  return (record) => JSON.stringify(text(record));
}
