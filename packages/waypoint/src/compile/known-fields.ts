import type { Message } from '@bufbuild/protobuf';
import { ConfigProblem } from './problem.ts';

/** Refuses a message with fields that its definition here does not have: nobody would do what they ask for. */
export function refuseUnknownFields(message: Message | undefined, path: string): void {
  const unknown = message?.$unknown?.[0];
  if (unknown !== undefined) throw new ConfigProblem(path, `field ${unknown.no} is not supported`);
}

/** Refuses a field that is set. */
export function refuseField(value: unknown, path: string): void {
  const isSet = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  if (isSet) throw new ConfigProblem(path, 'is not supported');
}
