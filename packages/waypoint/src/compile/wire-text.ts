import { isFieldValue } from '@aquifer/wire';
import { ConfigProblem } from './problem.ts';

const NOT_IN_TARGETS = /[^\x21-\x7e]/gu;

/** Configured text as the text of a message is read: a character for a byte of its UTF-8. */
export function bytesText(value: string): string {
  return Buffer.from(value).toString('latin1');
}

/**
 * A configured header value as it is sent. Written as it is, `č` (U+010D) would become its low byte, a carriage
 * return.
 */
export function headerText(value: string, path: string): string {
  if (!isFieldValue(value)) throw new ConfigProblem(path, 'holds control characters');
  return bytesText(value);
}

/** A configured part of a request target as it is sent: in percent code what would end the target. */
export function targetText(value: string): string {
  return value.replace(NOT_IN_TARGETS, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`)
      .join(''),
  );
}
