import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { kinds } from '../kinds/messages.ts';
import { ResourceRegistry } from '../resource-registry.ts';
import { decodeProtobuf } from './decode.ts';
import { bytesField, encodeProtobuf } from './encode.ts';
import { sampleObject } from './sample-object.fixture.ts';

const RECORDED = new URL('../../../../test/fixtures/golden/protobuf/', import.meta.url);
const NAME = bytesField(1, 'web');

/** A request body: the envelope around an encoded object. */
function body(apiVersion: string, kind: string, object: Buffer): Buffer {
  const type = Buffer.concat([bytesField(1, apiVersion), bytesField(2, kind)]);
  const envelope = Buffer.concat([bytesField(1, type), bytesField(2, object)]);
  return Buffer.concat([Buffer.from('k8s\0'), envelope]);
}

const varint = (number: number, value: number): Buffer => Buffer.of(number << 3, value);
const container = (...fields: readonly Buffer[]): Buffer =>
  bytesField(2, Buffer.concat([bytesField(1, 'main'), bytesField(2, 'web:1'), ...fields]));
const pod = (...specFields: readonly Buffer[]): Buffer =>
  body('v1', 'Pod', Buffer.concat([bytesField(1, NAME), bytesField(2, Buffer.concat(specFields))]));

describe('a field that is not known', () => {
  test.for([
    { what: 'of the spec', spec: [container(), bytesField(100, 'something')] },
    { what: 'of a part deep in the spec', spec: [container(bytesField(100, 'something'))] },
    { what: 'that is a number', spec: [container(), Buffer.of(0xa0, 0x06, 1)] },
  ])('$what refuses the request by its number, and loses nothing silently', ({ spec }) => {
    expect(() => decodeProtobuf(pod(...spec))).toThrow(/^field 100 of .* send application\/json/);
  });

  test('that says nothing is passed over: Go sends zeros', () => {
    const zeros = bytesField(100, Buffer.concat([varint(1, 0), bytesField(2, '')]));
    const { spec } = decodeProtobuf(pod(container(zeros), bytesField(101, '')));
    expect(spec).toEqual({ containers: [{ name: 'main', image: 'web:1' }] });
  });
});

test('every built-in kind that is served is read', () => {
  const served = new ResourceRegistry()
    .all()
    .map(({ apiVersion, kind }) => `${apiVersion}/${kind}`);
  expect(served.filter((kind) => kinds[kind] === undefined)).toEqual([]);
});

/** The same sequence of choices on every run. */
function choices(): () => boolean {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 3 !== 0;
  };
}

describe('an object comes out as it was sent', () => {
  const withSome = choices();
  test.for(Object.entries(kinds))('%s', ([name, message]) => {
    const at = name.lastIndexOf('/');
    const type = { apiVersion: name.slice(0, at), kind: name.slice(at + 1) };
    for (const choose of [() => true, withSome, withSome, withSome]) {
      const object = sampleObject(message, choose);
      const whole = { ...object, ...type };
      expect(decodeProtobuf(encodeProtobuf(whole))).toEqual(whole);
    }
  });
});

/** Without the nulls that Go writes for times that are not set: protobuf does not send them. */
function withoutNulls(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, child) => child ?? undefined));
}

test.for(readdirSync(RECORDED))(
  'what a program on client-go sends is read as Go writes it in JSON: %s',
  (file) => {
    const { body, object } = JSON.parse(readFileSync(new URL(file, RECORDED), 'utf8'));
    expect(decodeProtobuf(Buffer.from(body, 'base64'))).toEqual(withoutNulls(object));
  },
);
