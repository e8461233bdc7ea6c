/**
 * Why bytes are not an acceptable HTTP message, with the status that a server answers. `details` are Envoy's words
 * for the access log.
 */
export interface HttpProblem {
  readonly status: 400 | 408 | 426 | 431 | 501;
  readonly details: string;
  readonly message: string;
}

export function badRequest(message: string, details = 'http1.codec_error'): HttpProblem {
  return { status: 400, details, message };
}

/** What is said to the client, in the status line and as body. */
export const PROBLEM_WORDS: Readonly<Record<HttpProblem['status'], string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
};

/** What a client that was too slow is told, by the limit of `ServerTimes` that it exceeded. */
export const TOO_SLOW: Readonly<Record<'headMs' | 'requestMs' | 'exchangeIdleMs', HttpProblem>> = {
  headMs: { status: 408, details: 'request_header_timeout', message: 'no whole head in time' },
  requestMs: {
    status: 408,
    details: 'request_overall_timeout',
    message: 'no whole request in time',
  },
  exchangeIdleMs: { status: 408, details: 'stream_idle_timeout', message: 'nothing was sent' },
};
