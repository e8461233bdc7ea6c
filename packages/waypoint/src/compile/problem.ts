/** A resource that this proxy cannot serve exactly as configured. `path` names the field. */
export class ConfigProblem extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.name = 'ConfigProblem';
    this.path = path;
  }
}
