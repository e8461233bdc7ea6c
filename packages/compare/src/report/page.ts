import type { ComparisonReport } from './report.ts';
export function reportPage(report: ComparisonReport): string {
  return JSON.stringify(report);
}
