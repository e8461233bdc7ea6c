import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { GrpcMessages } from './grpc-messages.ts';

function message(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length, 0xff);
  bytes[0] = 0;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

test('messages are counted wherever their bytes are cut', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 70_000 }), { maxLength: 12 });
  fc.assert(
    fc.property(lengths, fc.array(fc.integer({ min: 1, max: 9_000 })), (all, cuts) => {
      const bytes = Buffer.concat(all.map(message));
      const messages = new GrpcMessages();
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        messages.arrived(bytes.subarray(at, at + cut));
        at += cut;
      }
      expect(messages.received).toBe(all.length);
      expect(messages.sent).toBe(0);
    }),
  );
});
