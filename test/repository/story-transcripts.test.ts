import { expect, test } from 'vitest';
import { readTranscript, TRANSCRIPTS } from '../demo/transcript.ts';
import { isClaim } from '../story/chapter.ts';
import { chapters, END } from '../story/chapters/index.ts';

const STORY = [...chapters(), END];

/** What of a story does not depend on what was measured: titles, what is said, and claims that hold. */
function lines(): string[] {
  return STORY.flatMap(({ title, says, parts }) => [
    title,
    ...says.split('\n').map((line) => `  ${line}`),
    ...parts.filter(isClaim).map(({ claim }) => `  ✔ ${claim}`),
  ]);
}

test('docs/story.md tells every chapter and every claim, in order', () => {
  let from = 0;
  const transcript = readTranscript('docs/story.md');
  const missing = lines().filter((line) => {
    const at = transcript.indexOf(line, from);
    if (at >= 0) from = at + line.length;
    return at < 0;
  });
  expect(missing).toEqual([]);
});

test('README.md shows the beginning of what docs/story.md tells', () => {
  expect(readTranscript('README.md')).toBe(
    TRANSCRIPTS['README.md'](readTranscript('docs/story.md')),
  );
});
