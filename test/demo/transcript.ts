import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
/** Around what is written. */
const BEGIN = '<!-- npm run demo -- --transcript -->\n\n```\n';
const END = '\n```\n\n<!-- end -->';
/** What of the story the README shows. */
const EXCERPT = {
  from: '2. One label: the same running pods speak HBONE',
  to: 'only TLS 1.3 on port 15008 is on the link',
};

/** Documents that hold a transcript, and which part of what was told it is. */
export const TRANSCRIPTS = {
  'docs/story.md': (told: string) => told.trim(),
  'README.md': (told: string) => {
    const from = told.indexOf(EXCERPT.from);
    const to = told.indexOf(EXCERPT.to, from) + EXCERPT.to.length;
    return told.slice(from, to);
  },
} as const;

/** The transcript in a document. Throws if there is none. */
export function readTranscript(file: keyof typeof TRANSCRIPTS): string {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for a transcript`);
  return text.slice(from + BEGIN.length, to);
}

/** Puts what was told into the documents. */
export function writeTranscript(told: string): void {
  for (const [file, part] of Object.entries(TRANSCRIPTS)) {
    const old = readTranscript(file as keyof typeof TRANSCRIPTS);
    const path = join(ROOT, file);
    // As a function: what was told may hold what `replace` takes for a pattern.
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(old, () => part(told)),
    );
  }
}
