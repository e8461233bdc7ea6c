import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import type { Capability, CapabilityTable } from './capability.ts';
import { KNOWN_TYPES } from './known-types.ts';
import { CAPABILITIES, TUNNEL_CAPABILITIES } from './table.ts';
import { TUNNELS } from './tunnels.ts';

const RESOURCES: readonly DescMessage[] = [
  ListenerSchema,
  RouteConfigurationSchema,
  ClusterSchema,
  ClusterLoadAssignmentSchema,
];

interface Walk {
  readonly reached: ReadonlySet<DescMessage>;
  /** `message.field` for what the table does not say. */
  readonly unclassified: readonly string[];
  /** Fields of which it says what cannot be of them. */
  readonly misclassified: readonly string[];
}

/** From the resources through every field that is handled, into every Any. */
function walk(table: CapabilityTable, roots: readonly DescMessage[]): Walk {
  const reached = new Set<DescMessage>();
  const unclassified: string[] = [];
  const misclassified: string[] = [];
  const visit = (message: DescMessage): void => {
    if (message.typeName.startsWith('google.protobuf.') || reached.has(message)) return;
    reached.add(message);
    for (const field of message.fields) {
      const capability = table.get(message.typeName)?.fields[field.name];
      const name = `${message.typeName}.${field.name}`;
      if (capability === undefined) {
        unclassified.push(name);
        continue;
      }
      if (!suits(field, capability)) misclassified.push(name);
      for (const inner of within(field, capability, table)) visit(inner);
    }
  };
  for (const root of roots) visit(root);
  return { reached, unclassified, misclassified };
}

/** An Any has types that may stand in it, and nothing else has. */
function suits(field: DescField, { kind }: Capability): boolean {
  const isAny = field.message?.typeName === 'google.protobuf.Any';
  return kind === 'extension' ? isAny : kind !== 'handled' || !isAny;
}

/** The messages that a field may hold, as far as they are looked into. */
function within(field: DescField, capability: Capability, table: CapabilityTable): DescMessage[] {
  if (capability.kind === 'extension')
    return typesOf(capability).map((type) => table.get(type)!.message);
  return capability.kind === 'handled' && field.message !== undefined ? [field.message] : [];
}

/** Of those that may stand there and have fields to look at. */
function typesOf(capability: Extract<Capability, { kind: 'extension' }>): string[] {
  return Object.entries(capability.types)
    .filter(([type, { kind }]) => kind === 'handled' && !type.startsWith('google.protobuf.'))
    .map(([type]) => type);
}

test.for([
  { resources: 'resources', table: CAPABILITIES, roots: RESOURCES },
  {
    resources: 'resources that describe tunnels',
    table: TUNNEL_CAPABILITIES,
    roots: [ListenerSchema, ClusterSchema],
  },
])('every field that can be reached from $resources is classified', ({ table, roots }) => {
  const { unclassified, misclassified } = walk(table, roots);
  expect(unclassified).toEqual([]);
  expect(misclassified).toEqual([]);
});

test('every field that is classified exists and can be reached', () => {
  const base = walk(CAPABILITIES, RESOURCES).reached;
  const inTunnels = walk(TUNNEL_CAPABILITIES, [ListenerSchema, ClusterSchema]).reached;
  const entries = [
    ...[...CAPABILITIES.values()].map((entry) => [entry, base] as const),
    ...TUNNELS.map((entry) => [entry, inTunnels] as const),
  ];
  const unreached = entries.flatMap(([{ message }, reached]) =>
    reached.has(message) ? [] : [message.typeName],
  );
  const missing = entries.flatMap(([{ message, fields }]) =>
    Object.keys(fields)
      .filter((field) => !message.fields.some(({ name }) => name === field))
      .map((field) => `${message.typeName}.${field}`),
  );
  expect(unreached).toEqual([]);
  expect(missing).toEqual([]);
});

test('a reason is a sentence without its end', () => {
  const said = [...CAPABILITIES.values(), ...TUNNELS]
    .flatMap(({ fields }) => Object.values(fields))
    .flatMap((one) => (one.kind === 'extension' ? Object.values(one.types) : [one]))
    .flatMap((one) => ('reason' in one ? [one.reason] : []));
  for (const reason of said) expect(reason).toMatch(/^\S.{8,}[^.]$/);
});

test('every type that the table names can be read and shown as JSON', () => {
  const named = [...CAPABILITIES.values(), ...TUNNELS]
    .flatMap(({ fields }) => Object.values(fields))
    .flatMap((one) => (one.kind === 'extension' ? Object.keys(one.types) : []));
  expect(named.filter((type) => KNOWN_TYPES.getMessage(type) === undefined)).toEqual([]);
});
