import { stringify } from 'yaml';

export type OutputFormat = 'short' | 'json' | 'yaml';

/** JSON indented by four like istioctl's, or YAML. */
export function formatData(value: unknown, format: Exclude<OutputFormat, 'short'>): string {
  return format === 'json' ? `${JSON.stringify(value, null, 4)}\n` : stringify(value);
}
