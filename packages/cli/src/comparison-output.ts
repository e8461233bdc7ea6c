import {
  answers,
  type ComparisonReport,
  cautions,
  costTable,
  givenTable,
  projectionTable,
  samplesCsv,
  sizeTables,
  type Table,
} from '@aquifer/compare';
import { formatTable } from './output/table.ts';

/** How a comparison can be printed. */
export const COMPARISON_FORMATS = ['short', 'json', 'csv', 'html'] as const;
export type ComparisonFormat = (typeof COMPARISON_FORMATS)[number];

/** The report as text; `csv` is the raw samples, `html` a page that needs nothing else. */
export async function formatComparison(
  report: ComparisonReport,
  format: ComparisonFormat,
): Promise<string> {
  switch (format) {
    case 'short':
      return shortReport(report);
    case 'json':
      return `${JSON.stringify(report)}\n`;
    case 'csv':
      return samplesCsv(report.samples);
    case 'html': {
      const { reportPage } = await import('@aquifer/compare/page');
      return reportPage(report);
    }
  }
}

/** A table under its title, or nothing. */
export function titledTable(table: Table | null): string {
  if (table === null) return '';
  return `\n${table.title}\n\n${formatTable(table.header, table.rows)}`;
}

function shortReport(report: ComparisonReport): string {
  const lines = (mark: string, texts: readonly string[]): string =>
    texts.map((text) => `${mark} ${text}\n`).join('');
  return [
    ...report.sizes.flatMap(sizeTables).map(titledTable),
    titledTable(costTable(report)),
    titledTable(projectionTable(report)),
    titledTable(givenTable(report)),
    `\n${lines('→', answers(report))}`,
    lines('!', cautions(report)),
    `\nIntervals are 95 %. Again, in the same order: ${report.command}\n`,
  ].join('');
}
