import { keepCompiledCode } from './compile-cache.ts';
import {
  type ConfigKeys,
  type ConfigProblem,
  describeProblems,
  type EnvSource,
  EXIT_BAD_CONFIG,
  parseEnv,
} from './config.ts';
import { giveBackWhenIdle } from './give-back.ts';
import { createLogger, type Logger, type LogOptions } from './logger.ts';
import { terminationSignal } from './process-signals.ts';

/** What a started program can be asked for. */
interface RunningProgram {
  /** Lets work finish until the program's deadline, then ends everything. */
  drain(): Promise<void>;
  /** Rejects if a part is lost without which the process cannot serve; null if no part can be lost alone. */
  readonly failed: Promise<never> | null;
}

/** A program that serves until it is told to stop. */
interface Program<Config extends LogConfig> {
  /** Scope of its log lines. */
  readonly name: string;
  readonly keys: ConfigKeys<Config>;
  readonly env: EnvSource;
  /** After the main thread has given memory back; see `giveBackWhenIdle`. */
  readonly onGivenBack?: () => void;
  /** Mistakes that show only when several values are looked at together. */
  readonly contradictions?: (config: Config) => readonly ConfigProblem[];
  /** Resolves once everything that serves is bound. */
  start(config: Config, log: Logger): Promise<RunningProgram>;
}

interface LogConfig {
  readonly logFormat: LogOptions['format'];
  readonly logLevels: string;
}

/** The configuration; mistakes in it are printed, and the process ends with status 64. */
export function configOrExit<Config>(
  name: string,
  keys: ConfigKeys<Config>,
  env: EnvSource,
): Config {
  const config = parseEnv(keys, env);
  return config.ok ? config.value : exitOnProblems(name, config.error);
}

/** Prints mistakes in the configuration and ends the process with status 64. */
export function exitOnProblems(name: string, problems: readonly ConfigProblem[]): never {
  console.error(`${name} cannot start:\n${describeProblems(problems)}`);
  process.exit(EXIT_BAD_CONFIG);
}

/**
 * Runs a program from start to drain and ends the process: with 0 after SIGTERM or SIGINT, with 1 if the program could
 * not start or lost a part, with 64 if its configuration is wrong.
 */
export async function runProgram<Config extends LogConfig>(
  program: Program<Config>,
): Promise<never> {
  const config = configOrExit(program.name, program.keys, program.env);
  const problems = program.contradictions?.(config) ?? [];
  if (problems.length > 0) exitOnProblems(program.name, problems);
  const log = createLogger(program.name, { format: config.logFormat, levels: config.logLevels });
  // Before the start, which may wait for others: signals that a container's first process does not handle are lost.
  const terminated = terminationSignal();
  try {
    const running = await Promise.race([program.start(config, log), terminated]);
    if (typeof running === 'string') process.exit(0);
    keepCompiledCode();
    giveBackWhenIdle(program.onGivenBack);
    const signal = await Promise.race([terminated, running.failed ?? terminated]);
    log.info('draining', { signal });
    await running.drain();
    process.exit(0);
  } catch (error) {
    log.error('failed', { error: (error as Error).stack });
    process.exit(1);
  }
}
