export { keepCompiledCode } from './compile-cache.ts';
export type { ConfigKey, ConfigKeys, ConfigProblem, EnvSource, ParsedConfig } from './config.ts';
export {
  booleanKey,
  choiceKey,
  describeProblems,
  durationKey,
  EXIT_BAD_CONFIG,
  integerKey,
  optionalStringKey,
  parsedKey,
  parseEnv,
  portKey,
  prefixKey,
  redactConfig,
  stringKey,
} from './config.ts';
export type { HttpAnswer, HttpHandler, HttpRoutes } from './http-server.ts';
export { serveHttp } from './http-server.ts';
export { installationRoot } from './installation.ts';
export { DROPPED_LINES_METRIC, droppedLogLines } from './log-output.ts';
export type { LogFields, Logger, LogLevel, LogOptions } from './logger.ts';
export { bare, createLogger, stdoutWriter } from './logger.ts';
export type { OperatorConfig } from './operator-config.ts';
export { OPERATOR_KEYS } from './operator-config.ts';
export { terminationSignal } from './process-signals.ts';
export { Readiness } from './readiness.ts';
export { configOrExit, exitOnProblems, runProgram } from './run-program.ts';
export type { ThreadPoolOptions } from './thread-pool.ts';
export { serveThread, ThreadPool } from './thread-pool.ts';
export { TimeSlice } from './time-slice.ts';
export { keepTrafficYoung } from './traffic-heap.ts';
export { VERSION } from './version.ts';
