export { cpuSeconds, memoryKiB, type RunningProcess, runningProcesses } from './process-usage.ts';
export { median, type Summary, summarize, summarizeRatio } from './statistics.ts';
