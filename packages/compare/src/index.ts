export {
  type ClusterRule,
  clusterSize,
  type NamespaceFacts,
  namespaceFacts,
} from './estimate/cluster-facts.ts';
export type { CostModel } from './estimate/cost-model.ts';
export { DEFAULT_COST_MODEL } from './estimate/default-cost-model.ts';
export { type Prices, parsePrices, project } from './estimate/projection.ts';
export type { LoadRequest, LoadResult } from './load.ts';
export { cpuSeconds, memoryKiB } from './machine/process-usage.ts';
export { type ComparisonCluster, ComparisonError, type Pod } from './measure/cluster.ts';
export {
  type ComparisonRun,
  type ComparisonSettings,
  runComparison,
} from './measure/comparison.ts';
export { MODES, type Mode, USUAL_MODES } from './modes.ts';
export { samplesCsv } from './report/csv.ts';
export { answers, cautions } from './report/findings.ts';
export { type ComparisonReport, type ReportOptions, reportRun } from './report/report.ts';
export {
  costTable,
  givenTable,
  namespaceTable,
  projectionTable,
  sizeTables,
  type Table,
} from './report/table.ts';
export { quantileMs } from './statistics/histogram.ts';
export { type Summary, summarize, summarizeRatio } from './statistics/summary.ts';
export type { Manifest } from './workload/manifest.ts';
export { fewestPods } from './workload/manifests.ts';
export { ECHO_WORKLOAD, type Workload, workloadOf } from './workload/workload.ts';
