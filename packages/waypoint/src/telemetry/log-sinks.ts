import type { AccessRecord } from '../compile/access-record.ts';
import type { Collector } from './exporters.ts';

/** A record of OpenTelemetry. */
export interface LogRecord {
  /** Since the epoch. */
  readonly timeMs: number;
  readonly body: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
  /** 32 digits; null for none. */
  readonly traceId: string | null;
}

/** Where access logs go. Lines end in a newline. */
export interface LogSinks {
  stdout(line: string): void;
  stderr(line: string): void;
  records(collector: Collector<LogRecord>, record: LogRecord): void;
}

/** Writes what it is to write of a request or connection that has ended. */
export type CompiledAccessLog = (record: AccessRecord, sinks: LogSinks) => void;

/** What waits for a reader of standard error who does not read. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** Lines to standard error; those that nobody reads in time are lost, and `onLoss` hears when that begins. */
export function stderrWriter(onLoss: () => void): (line: string) => void {
  let isLosing = false;
  return (line) => {
    if (process.stderr.writableLength > MAX_WAITING_BYTES) {
      if (!isLosing) onLoss();
      isLosing = true;
      return;
    }
    isLosing = false;
    process.stderr.write(line);
  };
}
