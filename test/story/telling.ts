import { inspect } from 'node:util';
import { type Chapter, type Claim, isClaim, type Step } from './chapter.ts';
import type { Stage } from './stage.ts';

/** What became of a claim. */
export interface Verdict {
  readonly claim: string;
  /** What was measured, if the claim holds and that is worth telling. */
  readonly shown: string | null;
  /** Why it does not hold; null if it does. */
  readonly problem: string | null;
}

interface Part {
  readonly chapter: Chapter;
  readonly part: Step | Claim;
}

/**
 * Tells chapters once, in their order, as far as somebody asks for. When a step fails, the claims that come after it in
 * its chapter have failed, and the story goes on with the next chapter; without the first there is no stage for any.
 */
export class Telling {
  /** All of them, whether they are told or not. */
  readonly claims: readonly Claim[];
  readonly #stage: Stage;
  readonly #first: Chapter | undefined;
  readonly #untold: Part[];
  readonly #verdicts = new Map<Claim, Verdict>();
  #beganAtMs = 0;
  /** Why the chapter does not go on. */
  #brokenBy: string | null = null;

  constructor(stage: Stage, chapters: readonly Chapter[]) {
    this.#stage = stage;
    this.#first = chapters[0];
    this.#untold = chapters.flatMap((chapter) => chapter.parts.map((part) => ({ chapter, part })));
    this.claims = this.#untold.map(({ part }) => part).filter(isClaim);
  }

  /** What becomes of a claim of these chapters; everything before it is told first. */
  async verdictOn(claim: Claim): Promise<Verdict> {
    for (;;) {
      const verdict = this.#verdicts.get(claim);
      if (verdict !== undefined) return verdict;
      await this.#tellNext();
    }
  }

  async #tellNext(): Promise<void> {
    const next = this.#untold.shift();
    if (next === undefined) throw new Error('the story makes no such claim');
    const { chapter, part } = next;
    if (part === chapter.parts[0]) this.#begin(chapter);
    if (isClaim(part)) {
      const verdict = await this.#judge(part);
      this.#verdicts.set(part, verdict);
      this.#stage.narrator.claim(verdict);
    } else if (this.#brokenBy === null) {
      await this.#take(part, chapter);
    }
    if (part === chapter.parts.at(-1)) this.#end(chapter);
  }

  #begin({ title, says }: Chapter): void {
    this.#beganAtMs = performance.now();
    this.#stage.narrator.chapter(title, says);
  }

  async #take(step: Step, { title }: Chapter): Promise<void> {
    try {
      await step.do(this.#stage);
    } catch (error) {
      this.#brokenBy = `"${title}" broke off: ${reason(error)}`;
      this.#stage.narrator.cameBack(this.#brokenBy);
    }
  }

  async #judge({ claim, measure, bound }: Claim): Promise<Verdict> {
    if (this.#brokenBy !== null) return { claim, shown: null, problem: this.#brokenBy };
    try {
      const measured = await measure(this.#stage);
      if (bound.holds(measured)) {
        return { claim, shown: bound.shown?.(measured) ?? null, problem: null };
      }
      const found = inspect(measured, { depth: 5, breakLength: 100 });
      return { claim, shown: null, problem: `found: ${found}; wanted: ${bound.says}` };
    } catch (error) {
      return { claim, shown: null, problem: reason(error) };
    }
  }

  #end(chapter: Chapter): void {
    this.#stage.letGo();
    this.#stage.narrator.chapterEnded((performance.now() - this.#beganAtMs) / 1000);
    if (chapter !== this.#first) this.#brokenBy = null;
  }
}

/** Its message, and those of its causes. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined || error.cause === null
    ? error.message
    : `${error.message}: ${reason(error.cause)}`;
}
