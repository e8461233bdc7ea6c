/** Access logs that are sent as records of OpenTelemetry (Envoy's `envoy.access_loggers.open_telemetry`). */
import type { OpenTelemetryAccessLogConfig } from '@aquifer/wire/gen/envoy/extensions/access_loggers/open_telemetry/v3_pb';
import type { AnyValue } from '@aquifer/wire/gen/opentelemetry/proto/common/v1_pb';
import type { CompiledAccessLog } from '../telemetry/log-sinks.ts';
import { logCollector } from '../tracing/otlp.ts';
import { grpcCollector } from './collector.ts';
import { compileText, type Line } from './line-format.ts';
import { ConfigProblem } from './problem.ts';

export function compileRecordLog(
  { commonConfig, body, attributes }: OpenTelemetryAccessLogConfig,
  path: string,
): CompiledAccessLog {
  const service = commonConfig?.grpcService;
  const at = `${path}.common_config.grpc_service`;
  const collector = logCollector(grpcCollector(service, at));
  const line = compileValue(body, `${path}.body`);
  const members = (attributes?.values ?? []).map(({ key, value }) => ({
    key,
    text: compileValue(value, `${path}.attributes.${key}`),
  }));
  return (record, sinks) =>
    sinks.records(collector, {
      timeMs: record.startedAtMs,
      body: line(record),
      attributes: members.map(({ key, text }) => [key, text(record)]),
      traceId: record.traceId,
    });
}

function compileValue(value: AnyValue | undefined, path: string): Line {
  const said = value?.value;
  if (said === undefined || said.case === undefined) return () => '';
  if (said.case !== 'stringValue') throw new ConfigProblem(path, 'is no text');
  return compileText(said.value, path);
}
