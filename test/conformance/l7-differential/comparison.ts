import { createHash } from 'node:crypto';
import type { Case } from './cases.ts';
import type { Outcome } from './client.ts';
import type { Seen } from './scripted-origin.ts';

/** What one proxy made of one case. */
export interface Observation {
  readonly outcome: Outcome;
  readonly seen: readonly Seen[];
  readonly lines: readonly string[];
}

/** The same as text, without what differs from run to run, and without what differs on purpose. */
export interface Told {
  readonly answer: readonly string[];
  readonly upstream: readonly string[];
  readonly log: readonly string[];
}

/** Fields whose values differ from run to run. */
const NAME_ONLY = new Set(['date', 'x-envoy-upstream-service-time', 'x-request-id', 'x-case']);

export function tell({ outcome, seen, lines }: Observation, made: Case): Told {
  return {
    answer: [
      ...outcome.interim.map((head) => `interim ${head}`),
      ...(outcome.head === null
        ? ['no head']
        : [outcome.head[0]!, ...fieldLines(outcome.head.slice(1))]),
      `body ${digest(outcome.body)}`,
      ...(outcome.trailers === null ? [] : ['trailers', ...fieldLines(outcome.trailers)]),
      outcome.end,
      `next: ${outcome.next}`,
    ],
    upstream: seen.flatMap((each) => tellSeen(each, made)),
    log: lines.map((line) => line.replaceAll(/-\d+(?= )/g, '')),
  };
}

function tellSeen(seen: Seen, _made: Case): string[] {
  const { cluster, version, method, path, authority, fields, body, trailers, end } = seen;
  return [
    `${cluster} ${version}: ${method} ${path} of ${authority}`,
    ...fieldLines(fields),
    end === 'whole' ? `body ${digest(body)}` : 'cut',
    ...(trailers === null ? [] : ['trailers', ...fieldLines(trailers)]),
  ];
}

/** Sorted by names; values of one name stay in order. */
function fieldLines(fields: readonly string[]): string[] {
  const lines = fields.flatMap((name, i) => {
    if (i % 2 === 1) return [];
    const value = NAME_ONLY.has(name) ? '…' : fields[i + 1]!;
    return [{ name, line: `  ${name}: ${value}` }];
  });
  return lines
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ line }) => line);
}

function digest(body: string): string {
  if (body.length <= 40) return JSON.stringify(body);
  return `${body.length} bytes ${createHash('sha1').update(body, 'latin1').digest('hex').slice(0, 8)}`;
}

/** The lines that only one of them has, Envoy's with a minus sign; empty if they are alike. */
export function differences(envoy: Told, ours: Told): string[] {
  const parts = ['answer', 'upstream', 'log'] as const;
  return parts.flatMap((part) => {
    const [theirs, own] = [envoy[part], ours[part]];
    if (theirs.join('\n') === own.join('\n')) return [];
    const lines = [
      ...theirs.filter((line) => !own.includes(line)).map((line) => `- ${line}`),
      ...own.filter((line) => !theirs.includes(line)).map((line) => `+ ${line}`),
    ];
    return [
      `${part}:`,
      ...(lines.length > 0
        ? lines
        : [
            'other order or number',
            ...theirs.map((line) => `- ${line}`),
            ...own.map((line) => `+ ${line}`),
          ]),
    ];
  });
}
