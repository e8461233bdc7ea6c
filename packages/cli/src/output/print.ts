import { stringify } from 'yaml';

export type OutputFormat = 'short' | 'json' | 'yaml';

/** JSON indented by four like istioctl's, or YAML with its keys sorted like istioctl's. */
export function formatData(value: unknown, format: Exclude<OutputFormat, 'short'>): string {
  if (format === 'json') return `${JSON.stringify(value, null, 4)}\n`;
  return stringify(value, { sortMapEntries: true, indentSeq: false, lineWidth: 0 });
}
