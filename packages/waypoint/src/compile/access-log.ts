import type { AccessLog } from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import type { SubstitutionFormatString } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { compileLogFilter } from './access-log-filter.ts';
import { type AccessRecord, compileOperator, type Operator } from './access-operators.ts';
import { unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';

export type { AccessRecord } from './access-operators.ts';

/** A line, or several, each with its end; empty for what is not logged. */
export type AccessLogFormat = (record: AccessRecord) => string;

const STDOUT = '/dev/stdout';

/** What Envoy writes unless told otherwise (Envoy docs "Access logging", default format string). */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Null when there is none. Operators without a value print `-`, and null in JSON. Each of several logs has its lines. */
export function compileAccessLog(logs: readonly AccessLog[], path: string): AccessLogFormat | null {
  const formats = logs.map((log, i) => compileLog(log, `${path}[${i}]`));
  if (formats.length <= 1) return formats[0] ?? null;
  return (record) => {
    let lines = '';
    for (const format of formats) lines += format(record);
    return lines;
  };
}

function compileLog({ configType, filter }: AccessLog, path: string): AccessLogFormat {
  const { path: file, accessLogFormat } = unpack(configType.value, FileAccessLogSchema, path);
  if (file !== STDOUT) throw new ConfigProblem(`${path}.path`, `only ${STDOUT} is written to`);
  const format = compileFormat(accessLogFormat.value, `${path}.log_format`);
  if (filter === undefined) return format;
  const isLogged = compileLogFilter(filter, `${path}.filter`);
  return (record) => (isLogged(record) ? format(record) : '');
}

function compileFormat(
  config: SubstitutionFormatString | undefined,
  path: string,
): AccessLogFormat {
  if (config === undefined) return compileText(DEFAULT_FORMAT, path);
  const { format } = config;
  if (format.case === 'jsonFormat') return compileJson(format.value, path);
  const source = format.value?.specifier;
  if (source?.case === 'inlineString') return compileText(source.value, path);
  if (source?.case === 'inlineBytes')
    return compileText(Buffer.from(source.value).toString(), path);
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
