/** Status codes of gRPC in their order, from 0 (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
const NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** Null for what is no name of one. */
export function grpcStatusNamed(name: string): number | null {
  const code = NAMES.indexOf(name);
  return code < 0 ? null : code;
}
