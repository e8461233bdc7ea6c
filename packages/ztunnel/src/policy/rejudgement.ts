import { TimeSlice } from '@aquifer/runtime';

/** Connections that are judged again, item by item. */
export interface Rejudged {
  /** Ends what is no longer allowed; lets other work go on whenever the slice is over. */
  judgeAgain(slice: TimeSlice): Promise<void>;
}

/** A connection waits this long at most for the judgement of others, whatever changed and however many there are. */
const SLICE_MS = 5;

/** Judges open connections of all pods of a thread again, one pod after the other, in slices. */
export class Rejudgement {
  readonly #waiting = new Set<Rejudged>();
  #isRunning = false;

  /** The policies of these connections have changed. */
  request(connections: Rejudged): void {
    this.#waiting.add(connections);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const slice = new TimeSlice(SLICE_MS);
    // Who is added meanwhile, or once more, comes last.
    for (const connections of this.#waiting) {
      this.#waiting.delete(connections);
      await connections.judgeAgain(slice);
    }
    this.#isRunning = false;
  }
}
