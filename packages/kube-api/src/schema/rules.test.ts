import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  gatewayApiResources,
  istioResources,
  type OpenApiSchema,
  openApiSchema,
} from '@aquifer/model/resources';
import { describe, expect, test } from 'vitest';
import { processorMs } from '../../../../test/fixtures/processor-time.ts';
import { kubernetesCel, parseRule } from './cel-library.ts';
import { applySchemaDefaults } from './defaults.ts';
import { schemaCauses } from './rules.ts';

/** What is said of `spec.field` with this schema and value. */
function said(field: OpenApiSchema, value: unknown, previous?: unknown): string[] {
  const spec: OpenApiSchema = { type: 'object', properties: { field } };
  const schema: OpenApiSchema = { type: 'object', properties: { spec } };
  const before = previous === undefined ? undefined : { spec: { field: previous } };
  return schemaCauses(schema, { spec: { field: value } }, before).map(
    (cause) => `${cause.field}: ${cause.message}`,
  );
}

const invalid = (value: unknown, why: string): string =>
  `spec.field: Invalid value: ${JSON.stringify(value)}: spec.field in body ${why}`;

describe('a value is refused', () => {
  test.for<[what: string, schema: OpenApiSchema, wrong: unknown, right: unknown, why: string]>([
    ['above a bound', { maximum: 3 }, 4, 3, 'should be less than or equal to 3'],
    ['at an excluded bound', { maximum: 3, exclusiveMaximum: true }, 3, 2, 'should be less than 3'],
    [
      'at an excluded lower bound',
      { minimum: 0, exclusiveMinimum: true },
      0,
      1,
      'should be greater than 0',
    ],
    ['of another pattern', { pattern: '^[a-z]+$' }, 'A', 'a', "should match '^[a-z]+$'"],
    ['that is no address', { format: 'ipv4' }, 'x', '10.0.0.1', 'must be of type ipv4: "x"'],
    [
      'that is no network',
      { format: 'cidr' },
      '10.0.0.0/33',
      '10.0.0.0/8',
      'must be of type cidr: "10.0.0.0/33"',
    ],
    [
      'that is no time',
      { format: 'date-time' },
      'now',
      '2026-01-01T00:00:00Z',
      'must be of type date-time: "now"',
    ],
    [
      'that is no duration',
      { format: 'duration' },
      '1x',
      '1h30m',
      'must be of type duration: "1x"',
    ],
    [
      'that repeats itself',
      { uniqueItems: true },
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      [1, 2],
      "shouldn't contain duplicates",
    ],
  ])('%s', ([, schema, wrong, right, why]) => {
    expect(said(schema, right)).toEqual([]);
    expect(said(schema, wrong)[0]?.replace(/array|object/, '')).toContain(why);
  });

  test('with too many or too few properties', () => {
    const schema = { minProperties: 1, maxProperties: 1 };
    expect(said(schema, { a: 1 })).toEqual([]);
    expect(said(schema, {})[0]).toContain('spec.field in body should have at least 1 properties');
    expect(said(schema, { a: 1, b: 2 })[0]).toContain('should have at most 1 properties');
  });

  test('by a pattern that would make a backtracking engine try for ever, at once', () => {
    const text = `${'a'.repeat(60)}b`;
    const tookMs = processorMs(() =>
      expect(said({ pattern: '^(a+)+$' }, text)).toEqual([invalid(text, "should match '^(a+)+$'")]),
    );
    expect(tookMs).toBeLessThan(1_000);
  });

  test('if its pattern is none', () => {
    expect(said({ pattern: '(?<=a)b' }, 'ab')[0]).toContain("cannot be compared with '(?<=a)b'");
  });
});

describe('of alternatives', () => {
  const a: OpenApiSchema = { required: ['a'] };
  const b: OpenApiSchema = { required: ['b'] };
  test.for<[schema: OpenApiSchema, wrong: object, right: object, why: string]>([
    [{ oneOf: [a, b] }, {}, { a: 1 }, 'one and only one schema (oneOf). Found none valid'],
    [{ oneOf: [a, b] }, { a: 1, b: 1 }, { b: 1 }, '(oneOf). Found 2 valid alternatives'],
    [{ anyOf: [a, b] }, {}, { a: 1, b: 1 }, 'at least one schema (anyOf)'],
    [{ allOf: [a, b] }, { a: 1 }, { a: 1, b: 1 }, 'all the schemas (allOf)'],
    [{ not: a }, { a: 1 }, {}, 'not validate the schema (not)'],
  ])('%j refuses %j', ([schema, wrong, right, why]) => {
    expect(said(schema, right)).toEqual([]);
    expect(said(schema, wrong).join('\n')).toContain(why);
  });

  test('the two of an int-or-string are its types, beside others', () => {
    const either: OpenApiSchema = { anyOf: [{ type: 'integer' }, { type: 'string' }] };
    const schema: OpenApiSchema = {
      'x-kubernetes-int-or-string': true,
      allOf: [either, { pattern: '^\\d+%$' }],
    };
    expect(said(schema, 3)).toEqual([]);
    expect(said(schema, '25%')).toEqual([]);
    expect(said(schema, 'many').join()).toContain('(allOf)');
  });
});

describe('a rule', () => {
  const ruled = (rule: string, more: object = {}): OpenApiSchema => ({
    'x-kubernetes-validations': [{ rule, ...more }],
  });

  test.for([
    ["self.matches('^a')", 'abc'],
    ["quantity(self).isGreaterThan(quantity('1Gi'))", '1.5Gi'],
    ['isIP(self) && !isCIDR(self)', '10.0.0.1'],
    ["self.find('[0-9]+') == '42'", 'answer 42'],
    ['self.isSorted() && self.sum() == 6 && self.max() == 3', [1, 2, 3]],
    ["has(self[0].path) && !has(self[1].path) && size('has(x)') == 6", [{ path: '/' }, {}]],
    ["self.all(part, part.startsWith('/'))", ['/a', '/b']],
  ])('%s holds of %j', ([rule, value]) => {
    expect(said(ruled(String(rule)), value)).toEqual([]);
  });

  test('that has no value refuses: what cannot be told does not hold', () => {
    expect(said(ruled('self.absent > 1'), { present: 1 })).toEqual([
      'spec.field: Invalid value: "object": No such key: absent evaluating rule: self.absent > 1',
    ]);
    expect(said(ruled('unheardOf(self)', { message: 'must be new' }), 'x')[0]).toContain(
      'evaluating rule: must be new',
    );
    expect(said(ruled('self >'), 'x')[0]).toContain('evaluating rule: self >');
  });

  test('says what its message expression says', () => {
    const rule = ruled('self < 3', { messageExpression: "'got ' + string(self)", message: 'no' });
    expect(said(rule, 7)).toEqual(['spec.field: Invalid value: 7: got 7']);
  });

  test('about a change is asked about changes only, unless it takes the old value as optional', () => {
    expect(said(ruled('self == oldSelf'), 1)).toEqual([]);
    expect(said(ruled('self == oldSelf'), 1, 2)).toHaveLength(1);
    const optional = ruled('!oldSelf.hasValue() || oldSelf.value() < self', {
      optionalOldSelf: true,
    });
    expect(said(optional, 1)).toEqual([]);
    expect(said(optional, 1, 2)).toHaveLength(1);
  });
});

function rulesOf(schema: OpenApiSchema): string[] {
  const extra = schema.additionalProperties;
  const parts = [...Object.values(schema.properties ?? {}), schema.items, extra];
  return [
    ...(schema['x-kubernetes-validations'] ?? []).map(({ rule }) => rule),
    ...parts.flatMap((part) => (typeof part === 'object' ? rulesOf(part) : [])),
  ];
}

test('every rule of the Gateway API and of Istio that we ship is one that the API can evaluate', () => {
  const environment = kubernetesCel();
  const rules = [...gatewayApiResources, ...istioResources].flatMap((definition) =>
    rulesOf(openApiSchema(definition)),
  );
  const unknown = rules.filter((rule) => !parseRule(environment, rule).check().valid);
  expect(rules.length).toBeGreaterThan(50);
  expect(unknown).toEqual([]);
});

const GOLDEN = new URL('../../../../test/fixtures/golden/', import.meta.url);

test('what a real API server took of the Gateway API and of Istio has no mistakes', () => {
  const schemas = new Map(
    [...gatewayApiResources, ...istioResources].map((definition) => [
      `${definition.group}/${definition.kind}`,
      openApiSchema(definition),
    ]),
  );
  const files = globSync('{wds,l7}/*/objects.json', { cwd: fileURLToPath(GOLDEN) });
  const objects = files.flatMap((name) => {
    const stored = JSON.parse(readFileSync(new URL(name, GOLDEN), 'utf8'));
    return Array.isArray(stored) ? stored : stored.items;
  });
  let compared = 0;
  for (const object of objects) {
    const schema = schemas.get(`${String(object?.apiVersion).split('/')[0]}/${object?.kind}`);
    if (schema === undefined) continue;
    compared++;
    applySchemaDefaults(schema, object);
    const causes = schemaCauses(schema, object, undefined);
    expect({ object, causes }).toEqual({ object, causes: [] });
  }
  expect(compared).toBeGreaterThan(50);
});
