/** Why the sandbox does not do what it was asked for. */
export type SandboxErrorCode =
  | 'SB_NOT_ROOT'
  | 'SB_MISSING_PROGRAM'
  | 'SB_ALREADY_RUNNING'
  | 'SB_NETWORK_IN_USE'
  | 'SB_COMMAND'
  | 'SB_IMAGE';

/** A refusal. The message says what to do about it. */
export class SandboxError extends Error {
  readonly code: SandboxErrorCode;

  constructor(code: SandboxErrorCode, message: string) {
    super(message);
    this.name = 'SandboxError';
    this.code = code;
  }
}
