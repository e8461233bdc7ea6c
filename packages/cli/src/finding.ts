/** One thing looked at. `remedy` says what to do when it is not fine; what is optional is no failure. */
export interface Finding {
  readonly area: 'machine' | 'cluster';
  readonly what: string;
  readonly state: 'ok' | 'missing' | 'optional';
  readonly remedy: string;
}
