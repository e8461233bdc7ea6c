import type { AccessLog } from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import type { SubstitutionFormatString } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { OpenTelemetryAccessLogConfigSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/open_telemetry/v3_pb';
import type { CompiledAccessLog } from '../telemetry/log-sinks.ts';
import { compileLogFilter } from './access-log-filter.ts';
import { isType, unpack } from './any.ts';
import { compileLine, DEFAULT_LINE } from './line-format.ts';
import { ConfigProblem } from './problem.ts';
import { compileRecordLog } from './record-log.ts';

export type { AccessRecord } from './access-record.ts';

const STREAMS: Readonly<Record<string, 'stdout' | 'stderr'>> = {
  '/dev/stdout': 'stdout',
  '/dev/stderr': 'stderr',
};

/** Null when there is none. */
export function compileAccessLog(
  logs: readonly AccessLog[],
  path: string,
): CompiledAccessLog | null {
  const all = logs.map((log, i) => compileLog(log, `${path}[${i}]`));
  if (all.length <= 1) return all[0] ?? null;
  return (record, sinks) => {
    for (const log of all) log(record, sinks);
  };
}

function compileLog({ configType, filter }: AccessLog, path: string): CompiledAccessLog {
  const any = configType.value;
  const log = isType(any, OpenTelemetryAccessLogConfigSchema)
    ? compileRecordLog(unpack(any, OpenTelemetryAccessLogConfigSchema, path), path)
    : compileFile(unpack(any, FileAccessLogSchema, path), path);
  if (filter === undefined) return log;
  const isLogged = compileLogFilter(filter, `${path}.filter`);
  return (record, sinks) => {
    if (isLogged(record)) log(record, sinks);
  };
}

function compileFile(
  { path: file, accessLogFormat }: FileLogConfig,
  path: string,
): CompiledAccessLog {
  const stream = Object.hasOwn(STREAMS, file) ? STREAMS[file]! : null;
  if (stream === null) {
    const known = Object.keys(STREAMS).join(' and ');
    throw new ConfigProblem(`${path}.path`, `only ${known} are written to`);
  }
  const format = compileFormat(accessLogFormat.value, `${path}.log_format`);
  return (record, sinks) => sinks[stream](format(record));
}

type FileLogConfig = ReturnType<typeof unpack<typeof FileAccessLogSchema>>;

function compileFormat(config: SubstitutionFormatString | undefined, path: string) {
  return config === undefined ? DEFAULT_LINE : compileLine(config, path);
}
