// hot path: every request
import type { InputMatch, MatchInput } from './string-match.ts';

/** What is found by its place in an ordered list. */
interface Indexed {
  /** What every path that it takes begins with; empty if there is nothing. */
  readonly beginning: string;
  readonly matches: InputMatch;
}

/**
 * Finds the first of an ordered list that takes a request. Asked are only those whose beginning the path has: a thousand
 * cost what ten do.
 */
export class RouteIndex<Route extends Indexed> {
  readonly #routes: readonly Route[];
  /** Places in the list, in order. */
  readonly #placesByBeginning: ReadonlyMap<string, readonly number[]>;
  /** Of the beginnings, the longest first: what is most specific mostly comes first in the list too. */
  readonly #lengths: readonly number[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes;
    const places = new Map<string, number[]>();
    for (const [place, { beginning }] of routes.entries()) {
      const known = places.get(beginning);
      if (known === undefined) places.set(beginning, [place]);
      else known.push(place);
    }
    this.#placesByBeginning = places;
    const lengths = new Set([...places.keys()].map(({ length }) => length));
    this.#lengths = [...lengths].toSorted((a, b) => b - a);
  }

  /** Null if none does. */
  find(input: MatchInput): Route | null {
    const { path } = input;
    let first = this.#routes.length;
    for (const length of this.#lengths) {
      if (length > path.length) continue;
      const places = this.#placesByBeginning.get(path.slice(0, length));
      if (places !== undefined) first = this.#firstOf(places, first, input);
    }
    return this.#routes[first] ?? null;
  }

  /** The first place before `end` whose route takes the request, else `end`. */
  #firstOf(places: readonly number[], end: number, input: MatchInput): number {
    for (const place of places) {
      if (place >= end) break;
      if (this.#routes[place]!.matches(input)) return place;
    }
    return end;
  }
}
