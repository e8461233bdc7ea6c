/**
 * Writes the messages of the Kubernetes API for the sandbox, from the published Go types (the modules that
 * `kubernetes-kinds/go.mod` names). Needs Go, and says so where it is not there. Run by `npm run generate`.
 *
 * Go takes minutes to build those modules. So the file says what it was made from, by which a test tells whether it is
 * the one that this script writes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { kubernetesResources, reviewResources } from '@aquifer/model/resources';
import { goCommand } from '../setup/go-programs.mjs';

const ROOT = join(import.meta.dirname, '..', '..');
const file = join(ROOT, 'packages/kube-api/src/gen/kubernetes-kinds.json');

/** As `kubernetes-kinds/main.go` prints them. */
interface Facts {
  readonly kinds: Readonly<Record<string, string>>;
  readonly messages: Readonly<Record<string, Message>>;
}

interface Message {
  readonly fields: Readonly<Record<string, Field>>;
  readonly atomic?: true;
  readonly typed?: true;
}

interface Field {
  readonly name: string;
  readonly type: string;
  readonly hint?: object;
}

/** What travels beside the objects that are stored: answers, subresources, options. */
const FURTHER_KINDS = [
  'v1/Status',
  'v1/Binding',
  'policy/v1/Eviction',
  'autoscaling/v1/Scale',
  'authentication.k8s.io/v1/TokenRequest',
  'meta.k8s.io/v1/PartialObjectMetadata',
];

function servedKinds(): string[] {
  const served = [...kubernetesResources, ...reviewResources].flatMap(({ group, versions, kind }) =>
    versions.flatMap((version) => {
      const apiVersion = group === '' ? version : `${group}/${version}`;
      // Clients send the options of a deletion in the version of what they delete.
      return [`${apiVersion}/${kind}`, `${apiVersion}/DeleteOptions`];
    }),
  );
  return [...new Set([...served, ...FURTHER_KINDS])].toSorted();
}

const reference = /^(\[\]|\{\})?\|?(?=k8s\.io\/)/;

/** All messages that these hold, by their long names. */
function reached(facts: Facts, roots: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const { type } of Object.values(facts.messages[name]?.fields ?? {})) {
      if (reference.test(type)) visit(type.replace(reference, '').replace('?', ''));
    }
  };
  for (const root of roots) visit(root);
  return found;
}

/** `k8s.io/api/core/v1.Event` is `Event`, or `core/v1.Event` where another package has a message of this name. */
function shortNames(names: ReadonlySet<string>): (name: string) => string {
  const last = (name: string): string => name.slice(name.lastIndexOf('.') + 1);
  const counts = Map.groupBy(names, last);
  return (name) =>
    counts.get(last(name))?.length === 1 ? last(name) : name.split('/').slice(-2).join('/');
}

/** The text of the file: one message a line. */
function tableOf(facts: Facts): string {
  const kinds = servedKinds().map((kind): [string, string] => {
    const message = facts.kinds[kind];
    if (message === undefined) throw new Error(`the published types have no ${kind}`);
    return [kind, message];
  });
  const names = reached(
    facts,
    kinds.map(([, message]) => message),
  );
  const short = shortNames(names);
  const row = ({ name, type, hint }: Field): unknown[] => [
    name,
    type.replace(/k8s\.io\/[^?]*/, (long) => short(long)),
    ...(hint === undefined ? [] : [hint]),
  ];
  const messages = [...names].map((name): [string, unknown] => {
    const { fields = {}, ...flags } = facts.messages[name] ?? {};
    const rows = Object.fromEntries(
      Object.entries(fields).map(([number, field]) => [number, row(field)]),
    );
    return [short(name), { ...rows, ...flags }];
  });
  return [
    '{"kinds":{',
    lines(kinds.map(([kind, message]) => [kind, short(message)])),
    '},"messages":{',
    lines(messages.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    '}',
  ].join('\n');
}

function lines(entries: readonly (readonly [string, unknown])[]): string {
  return entries
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    .join(',\n');
}

/** Of the table, and of what makes it. */
export function fingerprint(table: string): string {
  const hash = createHash('sha256').update(table);
  for (const name of [
    'kubernetes-kinds.ts',
    'kubernetes-kinds/main.go',
    'kubernetes-kinds/go.mod',
  ]) {
    hash.update(readFileSync(join(import.meta.dirname, name)));
  }
  return hash.digest('hex');
}

/** The table on disk and the fingerprint that it was written with. */
export function kubernetesKindsOnDisk(): { readonly table: string; readonly madeFrom: string } {
  const [table = '', end = ''] = readFileSync(file, 'utf8').split(MADE_FROM);
  return { table, madeFrom: end.slice(0, end.indexOf('"')) };
}

const MADE_FROM = ',"madeFrom":"';

function printedFacts(): Facts {
  const printed = execFileSync(goCommand!, ['run', '.'], {
    cwd: join(import.meta.dirname, 'kubernetes-kinds'),
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(printed.toString());
}

if (import.meta.main) {
  if (goCommand === null) {
    console.log('kubernetes-kinds.json stays as it is: reading the published types needs Go');
  } else {
    const table = tableOf(printedFacts());
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${table}${MADE_FROM}${fingerprint(table)}"}\n`);
  }
}
