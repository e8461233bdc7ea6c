import { isObject } from '../json.ts';

/** Columns and rows of a client's terminal. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const LARGEST = 65_535;

/** `{"Width":80,"Height":24}`, as clients send it; null for anything else, which is no reason to end the command. */
export function terminalSize(text: string): TerminalSize | null {
  let size: unknown;
  try {
    size = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(size)) return null;
  const { Width: columns, Height: rows } = size;
  return isExtent(columns) && isExtent(rows) ? { columns, rows } : null;
}

function isExtent(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= LARGEST;
}
