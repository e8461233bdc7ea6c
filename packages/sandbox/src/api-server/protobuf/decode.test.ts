import { describe, expect, test } from 'vitest';
import { decodeProtobuf } from './decode.ts';
import { encodeField, encodeMessage } from './encode.ts';

const NAME = encodeField(1, 'web');

/** A request body: the envelope around an object whose fields after its metadata are given. */
function body(apiVersion: string, kind: string, ...fields: readonly Buffer[]): Buffer {
  const type = encodeMessage(encodeField(1, apiVersion), encodeField(2, kind));
  const object = encodeMessage(encodeField(1, NAME), ...fields);
  const envelope = encodeMessage(encodeField(1, type), encodeField(2, object));
  return Buffer.concat([Buffer.from('k8s\0'), envelope]);
}

const varint = (number: number, value: number): Buffer => Buffer.of(number << 3, value);
const container = (...fields: readonly Buffer[]): Buffer =>
  encodeField(2, encodeMessage(encodeField(1, 'main'), encodeField(2, 'web:1'), ...fields));
const pod = (...specFields: readonly Buffer[]): Buffer =>
  body('v1', 'Pod', encodeField(2, encodeMessage(...specFields)));

describe('a field that is not known', () => {
  test.for([
    { what: 'of the spec', spec: [container(), encodeField(100, 'something')] },
    { what: 'of a part deep in the spec', spec: [container(encodeField(100, 'something'))] },
    { what: 'that is a number', spec: [container(), Buffer.of(0xa0, 0x06, 1)] },
  ])('$what refuses the request by its number, and loses nothing silently', ({ spec }) => {
    expect(() => decodeProtobuf(pod(...spec), false)).toThrow(
      /^field 100 of .* send application\/json/,
    );
  });

  test('that says nothing is passed over: Go sends zeros', () => {
    const zeros = encodeField(100, encodeMessage(varint(1, 0), encodeField(2, '')));
    const { spec } = decodeProtobuf(pod(container(zeros), encodeField(101, '')), false);
    expect(spec).toEqual({ containers: [{ name: 'main', image: 'web:1' }] });
  });
});

test('the status that an object carries is left out, and a write of the status alone is refused', () => {
  const status = encodeField(3, encodeField(1, 'Running'));
  const sent = body('v1', 'Pod', encodeField(2, container()), status);
  expect(decodeProtobuf(sent, false)).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web' },
    spec: { containers: [{ name: 'main', image: 'web:1' }] },
  });
  expect(() => decodeProtobuf(sent, true)).toThrow('the status of Pod of v1 is not accepted');
});
