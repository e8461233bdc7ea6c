/**
 * Why bytes are not an acceptable HTTP message, with the status that a server answers. `details` are Envoy's words
 * for the access log.
 */
export interface HttpProblem {
  readonly status: 400 | 413 | 426 | 431 | 501 | 505;
  readonly details: string;
  readonly message: string;
}

export function badRequest(message: string): HttpProblem {
  return { status: 400, details: 'http1.codec_error', message };
}
