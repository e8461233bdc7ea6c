import type { AccessLog } from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { type AccessRecord, compileOperator, type Operator } from './access-operators.ts';
import { isType, unpack } from './any.ts';

export type { AccessRecord } from './access-operators.ts';

/** Makes the line of a record, with its end. */
export type AccessLogFormat = (record: AccessRecord) => string;

/** What Envoy writes unless told otherwise (Envoy docs "Access logging", default format string). */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Null when no access log goes to standard output. Operators without a value print `-`, and null in JSON. */
export function compileAccessLog(logs: readonly AccessLog[]): AccessLogFormat | null {
  for (const [i, log] of logs.entries()) {
    const any = log.configType.value;
    if (!isType(any, FileAccessLogSchema)) continue;
    const path = `access_log[${i}].log_format`;
    const { accessLogFormat } = unpack(any, FileAccessLogSchema, `access_log[${i}]`);
    if (accessLogFormat.case === undefined) return compileText(DEFAULT_FORMAT, path);
    const format = accessLogFormat.case === 'logFormat' ? accessLogFormat.value.format : undefined;
    if (format?.case === 'jsonFormat') return compileJson(format.value, path);
    const source = format?.case === 'textFormatSource' ? format.value.specifier : undefined;
    if (source?.case === 'inlineString') return compileText(source.value, path);
  }
  return null;
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
  const parts = format.split(/%([A-Z_0-9]+(?:\([^)]*\))?(?::\d+)?)%/);
  const steps = parts.flatMap((part, i) =>
    i % 2 === 0 ? [] : [{ before: parts[i - 1]!, operator: compileOperator(part, path) }],
  );
  return { steps, tail: parts.at(-1)! };
}

function compileText(format: string, path: string): AccessLogFormat {
  const { steps, tail } = parse(format, path);
  return (record) => {
    let line = '';
    for (const { before, operator } of steps) line += `${before}${operator(record) ?? '-'}`;
    return line + tail;
  };
}

type JsonPart = (record: AccessRecord) => string;

/** Keys in order; a value that is one command keeps its type. */
function compileJson(format: JsonObject, path: string): AccessLogFormat {
  const part = jsonPart(format, path);
  return (record) => `${part(record)}\n`;
}

function jsonPart(value: JsonValue, path: string): JsonPart {
  if (typeof value === 'string') return jsonText(value, path);
  if (value === null || typeof value !== 'object') {
    const text = JSON.stringify(value);
    return () => text;
  }
  if (Array.isArray(value)) {
    const items = value.map((item, i) => jsonPart(item, `${path}[${i}]`));
    return (record) => `[${items.map((item) => item(record)).join(',')}]`;
  }
  const members = Object.keys(value)
    .toSorted()
    .map((key) => ({
      key: JSON.stringify(key),
      part: jsonPart(value[key]!, `${path}.${key}`),
    }));
  return (record) => `{${members.map(({ key, part }) => `${key}:${part(record)}`).join(',')}}`;
}

function jsonText(format: string, path: string): JsonPart {
  const { steps, tail } = parse(format, path);
  const [only] = steps;
  if (steps.length === 1 && only!.before === '' && tail === '') {
    return (record) => JSON.stringify(only!.operator(record));
  }
  const text = compileText(format, path);
  return (record) => JSON.stringify(text(record));
}
