export { LOAD_GENERATOR_PORT, type LoadRequest, type LoadResult, loadPath } from './load.ts';
export {
  type Manifest,
  modeManifests,
  PROXY_CONTAINER,
  serverUrl,
  WAYPOINT_NAME,
} from './manifests.ts';
export { MODE_TITLES, MODES, type Mode, modeNamespace } from './modes.ts';
export { cpuSeconds, memoryKiB, type RunningProcess, runningProcesses } from './process-usage.ts';
export {
  type ComparisonReport,
  compareModes,
  type ModeSamples,
  type RoundSample,
  reportNotes,
  reportRows,
} from './report.ts';
export { type Summary, summarize, summarizeRatio } from './statistics.ts';
