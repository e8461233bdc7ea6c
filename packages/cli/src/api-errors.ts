/** What the Kubernetes client throws when the API refuses a call. Told by its shape, so that the client is not loaded. */
interface ApiError extends Error {
  readonly code: number;
  readonly body: unknown;
  readonly headers: object;
}

/** Whether the API refused a call, or something in front of it did. */
export function isApiError(error: unknown): error is ApiError {
  if (!(error instanceof Error)) return false;
  return 'body' in error && 'headers' in error && 'code' in error && typeof error.code === 'number';
}

/** HTTP status of a failed API call; null if it was no answer of the API. */
function apiStatus(error: unknown): number | null {
  return isApiError(error) ? error.code : null;
}

/** Whether the error says that the object does not exist. */
export function isNotFound(error: unknown): boolean {
  return apiStatus(error) === 404;
}

/** What went wrong with an API call, in kubectl's words; null if it was none. */
export function apiMessage(error: unknown): string | null {
  if (apiStatus(error) === 401) return 'you must be logged in to the server (Unauthorized)';
  if (isApiError(error)) {
    const { reason, message } = statusOf(error.body);
    return `from server (${reason ?? error.code}): ${message ?? 'without a message'}`;
  }
  if ((error as Error).message !== 'fetch failed') return null;
  return `the cluster cannot be reached: ${rootCause(error as Error)}`;
}

/** `fetch` wraps what happened; a name with several addresses has one error for each. */
function rootCause(error: Error): string {
  if (error instanceof AggregateError) return rootCause(error.errors[0] as Error);
  return error.cause instanceof Error ? rootCause(error.cause) : error.message;
}

/** The fields of a `Status` that say why; the client gives it parsed or as text. */
function statusOf(body: unknown): { readonly reason?: string; readonly message?: string } {
  if (typeof body !== 'string') return (body ?? {}) as object;
  try {
    return JSON.parse(body) as object;
  } catch {
    return { message: body.trim() };
  }
}
