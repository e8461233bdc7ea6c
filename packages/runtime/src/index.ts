export { keepCompiledCode } from './compile-cache.ts';
export type { ConfigKey, ConfigOf, ConfigProblem, ConfigSchema, EnvSource } from './config.ts';
export {
  booleanKey,
  choiceKey,
  describeProblems,
  durationKey,
  EXIT_BAD_CONFIG,
  integerKey,
  optionalStringKey,
  parseEnv,
  redactConfig,
  stringKey,
} from './config.ts';
export type { HttpAnswer, HttpHandler, HttpRoutes } from './http-server.ts';
export { serveHttp } from './http-server.ts';
export type { LogFields, Logger, LogLevel, LogOptions } from './logger.ts';
export { bare, bufferedStdout, createLogger } from './logger.ts';
export { terminationSignal } from './process-signals.ts';
export { Readiness } from './readiness.ts';
export type { ThreadPoolOptions } from './thread-pool.ts';
export { serveThread, ThreadPool } from './thread-pool.ts';
