import type { Stage } from './stage.ts';

/** What must hold of a measured value. */
export interface Bound<Measured> {
  /** Completes the sentence "wanted: …". */
  readonly says: string;
  holds(measured: Measured): boolean;
  /** What of a measured value is worth telling when the claim holds; without it nothing is. */
  shown?(measured: Measured): string;
}

/** One thing that the story claims: what is measured, and what must hold of it. */
export interface Claim<Measured = unknown> {
  /** A sentence that no other claim of the story says. */
  readonly claim: string;
  /** May wait for it to come true. Throwing is one way of not holding. */
  measure(stage: Stage): Measured | Promise<Measured>;
  readonly bound: Bound<Measured>;
}

/** Something that is done between claims. If it throws, no later claim of the chapter holds. */
export interface Step {
  do(stage: Stage): Promise<void>;
}

/** A part of the story: what happens in it, in order. */
export interface Chapter {
  readonly title: string;
  /** What somebody who does not know the mesh has to know of it, in a sentence or two. */
  readonly says: string;
  readonly parts: readonly (Step | Claim)[];
}

export function step(action: (stage: Stage) => Promise<void>): Step {
  return { do: action };
}

export function claim<Measured>(
  sentence: string,
  measure: (stage: Stage) => Measured | Promise<Measured>,
  bound: Bound<Measured>,
): Claim {
  // Nobody but its own bound gets what it measures.
  return { claim: sentence, measure, bound } as Claim;
}

export function isClaim(part: Step | Claim): part is Claim {
  return 'claim' in part;
}
