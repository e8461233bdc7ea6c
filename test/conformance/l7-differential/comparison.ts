import { createHash } from 'node:crypto';
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

export function tell({ outcome, seen, lines }: Observation): Told {
  return {
    answer: [
      // Envoy passes on no more than one.
      ...outcome.interim.slice(0, 1).map((head) => `interim ${head}`),
      ...(outcome.head === null
        ? ['no head']
        : [outcome.head[0]!, ...fieldLines(outcome.head.slice(1))]),
      `body ${digest(outcome.body)}`,
      ...(outcome.trailers === null ? [] : ['trailers', ...fieldLines(outcome.trailers)]),
      outcome.end,
      `next: ${outcome.next}`,
    ],
    upstream: inOrder(seen).flatMap(tellSeen),
    // A request may end behind the one that came after it.
    log: lines.map(tellLine).toSorted(),
  };
}

/** What Envoy says to the cluster of a mirror about itself; here a copy is told by its host (`docs/conformance/l7.md`). */
const OF_COPIES = new Set(['x-envoy-internal', 'x-forwarded-for']);

/** Lanes have names of their own. Of a path that is refused Envoy tells what it would have made of it and, at times, its route. */
function tellLine(line: string): string {
  // That a client was told to go on is no answer yet.
  const told = line.replaceAll(/-\d+(?= )/g, '').replace(/ 1\d\d (?=(?:URX,)?D[CR] )/, ' 0 ');
  if (!told.includes('path_normalization_failed')) return told;
  return told.replace(/^"\S+ \S+/, '"').replace(/ \S+ \S+$/, '');
}

function tellSeen(seen: Seen): string[] {
  const { cluster, version, method, scheme, path, authority, body, trailers, end } = seen;
  const fields = cluster === 'shadow' ? without(seen.fields, OF_COPIES) : seen.fields;
  return [
    `${cluster} ${version}: ${method} ${scheme ?? ''} ${path} of ${authority}`,
    ...fieldLines(fields),
    end === 'whole' ? `body ${digest(body)}` : 'cut',
    ...(trailers === null ? [] : ['trailers', ...fieldLines(trailers)]),
  ];
}

function without(fields: readonly string[], names: ReadonlySet<string>): string[] {
  return fields.filter((_, i) => !names.has(fields[i - (i % 2)]!));
}

/** A request and its copy may arrive in either order. */
function inOrder(seen: readonly Seen[]): readonly Seen[] {
  const isCopy = ({ cluster }: Seen): boolean => cluster === 'shadow';
  return [...seen.filter((each) => !isCopy(each)), ...seen.filter(isCopy)];
}

/** Sorted by names. What is said twice is a list (RFC 9110 section 5.3), which Envoy writes in one line for some names. */
function fieldLines(fields: readonly string[]): string[] {
  const values = new Map<string, string[]>();
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    values.set(name, [...(values.get(name) ?? []), valueOfField(name, fields[i + 1]!)]);
  }
  return [...values]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, all]) =>
      NAME_ONLY.has(name)
        ? `  ${name}`
        : `  ${name}: ${all.join(name === 'set-cookie' ? ' & ' : ',')}`,
    );
}

function valueOfField(name: string, value: string): string {
  // Less what has passed since the request came.
  const isTime = name === 'x-envoy-expected-rq-timeout-ms' || name === 'grpc-timeout';
  return isTime ? `${Math.round(Number.parseInt(value, 10) / 100)}00` : value;
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
