/** Who writes, and how. */

/** authentication/v1 UserInfo. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What becomes of fields that the schema does not name: dropped, dropped with a warning, or refused. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Accompanies a write from the request to the storage. */
export interface WriteRequest {
  readonly user: UserInfo;
  /** Field manager, as recorded in managedFields. */
  readonly manager: string;
  readonly fieldValidation: FieldValidation;
  readonly dryRun: boolean;
  /** Collects `Warning` headers. */
  readonly warn: (message: string) => void;
}

/** Which object of a resource. */
export interface Target {
  /** Empty for resources without namespaces. */
  readonly namespace: string;
  readonly name: string;
}

/** Empty is the object itself. */
export type Subresource = 'status' | 'scale' | '';
