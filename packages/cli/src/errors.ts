/** A failure that the user can do something about: what happened, and what to try. Shown without a stack. */
export class CliError extends Error {
  readonly remedy: string | null;

  constructor(message: string, remedy: string | null = null) {
    super(message);
    this.name = 'CliError';
    this.remedy = remedy;
  }
}
