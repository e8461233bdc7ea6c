/** Sections of rows: what each row asks for, by its number. */
export type Rows = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Why a row has no test: left out on purpose, or not built yet. A sentence each, by the row's number. */
export type Justified = Readonly<Record<'left out' | 'not yet', Readonly<Record<string, string>>>>;

/** A page of `docs/conformance`: rows, each shown by tests that have its number in their names, or justified. */
export interface RowPage {
  /** By which it is asked for, and what its file is called. */
  readonly name: string;
  readonly file: string;
  /** The letter before the three digits of a row's number. */
  readonly letter: string;
  readonly title: string;
  /** What stands above the rows. */
  readonly about: string;
  readonly rows: Rows;
  readonly justified: Justified;
}

/** The numbers of rows of the page in a text; a letter behind the digits tells neighbours apart. */
export function rowNumbers({ letter }: Pick<RowPage, 'letter'>, text: string): readonly string[] {
  return [...new Set(text.match(new RegExp(`\\b${letter}\\d{3}[a-z]?\\b`, 'g')))];
}
