import fc from 'fast-check';
import { type Configuration, type HttpVersion, retriesStaleConnections } from './configurations.ts';

/** One request, what the origins do with it, and how its client behaves. */
export interface Case {
  /** Number of the configuration in the batch. */
  readonly configuration: number;
  readonly version: HttpVersion;
  readonly request: Request;
  /** For each attempt in turn; the last one for all that follow. */
  readonly answers: readonly [Answer, ...Answer[]];
  /** When the client resets its request, if it does. */
  readonly leaves: 'never' | 'in-request' | 'waiting' | 'in-answer';
}

type Field = readonly [name: string, value: string];

interface Request {
  readonly method: string;
  readonly path: string;
  readonly authority: 'plain' | 'capitals' | 'port';
  readonly fields: readonly Field[];
  readonly body: Body | null;
}

interface Body {
  readonly bytes: number;
  /** Where it is cut into pieces that are sent by themselves, in thousandths. */
  readonly cuts: readonly number[];
  /** Over HTTP/1.1 it is chunked without a length; over HTTP/2 it says none. */
  readonly saysLength: boolean;
  readonly trailers: readonly Field[];
  /** The last piece waits until an answer is complete, or does not come. */
  readonly holds: boolean;
}

/** What an origin does with one attempt. */
export interface Answer {
  /** Answers the head, without waiting for the body. */
  readonly isEarly: boolean;
  readonly interim: readonly number[];
  readonly status: number;
  readonly fields: readonly Field[];
  readonly framing: 'length' | 'chunks' | 'until-close';
  readonly bytes: number;
  readonly cuts: readonly number[];
  readonly trailers: readonly Field[];
  readonly end: AnswerEnd;
}

export type AnswerEnd =
  | { readonly kind: 'whole' }
  /** And then the connection ends, over HTTP/2 by GOAWAY. */
  | { readonly kind: 'last' }
  /** Over HTTP/1.1 a code is a reset of the connection. */
  | { readonly kind: 'cut'; readonly at: Place; readonly by: 'end' | 'reset' | number }
  /** Nothing more comes. */
  | { readonly kind: 'silent'; readonly at: Place };

export type Place = 'before-head' | 'after-head' | 'in-body';

const METHODS = ['GET', 'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH'] as const;

/** Some match routes of `configurations.ts`, some nearly. */
const PATHS = [
  '/',
  '/a',
  '/a/b',
  '/ab',
  '/a/',
  '/A',
  '/item/7',
  '/item/7?v=1',
  '/item/7x',
  '/a?v=1',
  '/a?v=2&w=1',
  '/?v=1',
  '/b/c?x=/../a',
  '/b/../a',
  '/b/./c',
  '//a',
  '/a//b',
  '/%61',
  '/a%2fb',
  '/a;x=1',
  '/admin',
  '/b/%2e%2e/admin',
  '/admin/x',
  '/b?',
  '/b/c',
] as const;

const FIELDS: readonly Field[] = [
  ['x-v', '1'],
  ['x-v', '2'],
  ['x-v', ''],
  ['x-drop', 'client'],
  ['x-set', 'client'],
  ['x-more', 'client'],
  ['x-deny', '1'],
  ['x-deny', '0'],
  ['user-agent', 'curl'],
  ['user-agent', ''],
  ['accept', '*/*'],
  ['cookie', 'a=1'],
  ['cookie', 'b=2'],
  ['content-type', 'application/grpc'],
  ['content-type', 'application/grpc+proto'],
  ['content-type', 'text/plain'],
  ['grpc-timeout', '100m'],
  ['te', 'trailers'],
  ['expect', '100-continue'],
  ['origin', 'http://good'],
  ['origin', 'http://bad'],
  ['access-control-request-method', 'PUT'],
  ['x-forwarded-for', '192.0.2.1'],
  ['x-forwarded-for', '192.0.2.1, 192.0.2.2'],
  ['x-forwarded-proto', 'https'],
  ['x-forwarded-host', 'else.test'],
  ['forwarded', 'for=192.0.2.1'],
  ['via', '1.1 before'],
  ['x-request-id', 'mine'],
  ['x-envoy-retry-on', '5xx'],
  ['x-envoy-max-retries', '2'],
  ['x-envoy-upstream-rq-timeout-ms', '1'],
  ['x-envoy-internal', 'true'],
  ['x-envoy-original-host', 'mine'],
  ['x-envoy-attempt-count', '9'],
  ['x-envoy-decorator-operation', 'op'],
  ['x-envoy-external-address', '192.0.2.3'],
  ['x-forwarded-client-cert', 'By=x'],
  ['x-text', 'a,b'],
  ['x-text', 'gr\xc3\xbcn'],
  ['authorization', 'Basic YTpi'],
];

const HTTP1_FIELDS: readonly Field[] = [
  ['te', 'gzip, trailers'],
  ['te', 'gzip'],
  ['trailer', 'x-trailer'],
  ['connection', 'keep-alive'],
  ['connection', 'close'],
  ['connection', 'x-v'],
  ['connection', 'te, x-drop'],
  ['keep-alive', 'timeout=5'],
  ['proxy-connection', 'keep-alive'],
];

const HTTP2_FIELDS: readonly Field[] = [['trailer', 'x-trailer']];

const ANSWER_FIELDS: readonly Field[] = [
  ['x-origin', 'yes'],
  ['x-drop', 'origin'],
  ['x-set', 'origin'],
  ['x-more', 'origin'],
  ['set-cookie', 'a=1'],
  ['set-cookie', 'b=2'],
  ['server', 'origin'],
  ['date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  ['content-type', 'text/plain'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '0'],
  ['grpc-status', '14'],
  ['access-control-allow-origin', '*'],
  ['x-envoy-upstream-service-time', '7'],
  ['x-envoy-attempt-count', '7'],
  ['x-envoy-overloaded', 'true'],
  ['x-envoy-ratelimited', 'true'],
  ['via', '1.1 origin'],
  ['location', 'http://else/'],
];

const STATUSES = [200, 200, 200, 201, 204, 304, 301, 400, 404, 409, 429, 500, 502, 503, 504];
const BODY_BYTES = [1, 2, 17, 1000, 16_384, 16_385, 40_000];
const INTERNAL_ERROR = 2;
const RESET_CODES = [0, 1, 2, 5, 7, 8, 11, 13];

const trailers = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<readonly Field[]>(
      [['x-trailer', 'last']],
      [
        ['grpc-status', '14'],
        ['grpc-message', 'later'],
      ],
    ),
  },
);
const cuts = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 3 });
const bodies: fc.Arbitrary<Body | null> = fc.option(
  fc.record({
    bytes: fc.oneof(fc.constant(0), fc.constantFrom(...BODY_BYTES)),
    cuts,
    saysLength: fc.boolean(),
    trailers,
    holds: fc.oneof(
      { weight: 6, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  }),
  { nil: null, freq: 1 },
);
const authorities = fc.oneof(
  { weight: 8, arbitrary: fc.constant('plain' as const) },
  { weight: 1, arbitrary: fc.constantFrom('capitals' as const, 'port' as const) },
);
const places = fc.constantFrom<Place>('before-head', 'after-head', 'in-body');

const ends: fc.Arbitrary<AnswerEnd> = fc.oneof(
  { weight: 10, arbitrary: fc.constant<AnswerEnd>({ kind: 'whole' }) },
  { weight: 1, arbitrary: fc.constant<AnswerEnd>({ kind: 'last' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('cut' as const),
      at: places,
      by: fc.oneof(
        fc.constantFrom('end' as const, 'reset' as const),
        fc.constantFrom(...RESET_CODES),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('silent' as const), at: places }) },
);

const answers: fc.Arbitrary<Answer> = fc.record({
  isEarly: fc.oneof(
    { weight: 8, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  interim: fc.oneof(
    { weight: 8, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.constantFrom([100], [103], [102], [100, 103]) },
  ),
  status: fc.constantFrom(...STATUSES),
  fields: fc.array(fc.constantFrom(...ANSWER_FIELDS), { maxLength: 4 }),
  framing: fc.constantFrom('length', 'length', 'chunks', 'until-close'),
  bytes: fc.oneof(fc.constant(0), fc.constantFrom(...BODY_BYTES)),
  cuts,
  trailers,
  end: ends,
});

const leaves = fc.oneof(
  { weight: 12, arbitrary: fc.constant('never' as const) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('in-request' as const, 'waiting' as const, 'in-answer' as const),
  },
);

function requestsOf(version: HttpVersion): fc.Arbitrary<Request> {
  const own = version === 'HTTP/2' ? HTTP2_FIELDS : HTTP1_FIELDS;
  const fields = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...FIELDS) },
      { weight: 1, arbitrary: fc.constantFrom(...own) },
    ),
    { maxLength: 5 },
  );
  return fc.record({
    method: fc.constantFrom(...METHODS),
    path: fc.constantFrom(...PATHS),
    authority: authorities,
    fields,
    body: bodies,
  });
}

/** Cases for a batch of these configurations. */
export function casesOf(configurations: readonly Configuration[]): fc.Arbitrary<Case> {
  return fc
    .constantFrom<HttpVersion>('HTTP/1.1', 'HTTP/2')
    .chain((version) =>
      fc.record({
        configuration: fc.nat({ max: configurations.length - 1 }),
        version: fc.constant(version),
        request: requestsOf(version),
        answers: fc.tuple(answers, answers, answers),
        leaves,
      }),
    )
    .map((made: Case) => settled(made, configurations[made.configuration]!));
}

/** The same without what would hang on time: no silence that nobody ends, no answer that races with a body. */
function settled(made: Case, configuration: Configuration): Case {
  const { request, leaves: leaving } = made;
  const body = request.body;
  const canHold = body !== null && body.bytes + body.trailers.length > 0;
  const leavesInRequest = leaving === 'in-request' && canHold;
  const isNever =
    (leaving === 'in-request' && !canHold) ||
    (leaving === 'in-answer' && request.method === 'HEAD');
  const then = isNever ? 'never' : leaving;
  const isHeld = canHold && then === 'never' && body.holds;
  const settle = (answer: Answer): Answer => {
    const isEarly = answer.isEarly && (isHeld || !canHold) && then === 'never';
    const end = endOf(answer, then, configuration);
    const fields = onceEach(answer.fields);
    if (then !== 'in-answer') return { ...answer, fields, isEarly: isEarly || isHeld, end };
    // One that has a body, and is not retried.
    const bytes = Math.max(2, answer.bytes);
    return { ...answer, fields: [], isEarly: false, end, bytes, status: 200, interim: [] };
  };
  const [first, ...rest] = made.answers;
  return {
    ...made,
    leaves: then,
    answers: [settle(first), ...rest.map(settle)],
    request: {
      ...request,
      fields: onceEach(request.fields).filter(
        ([name]) => name !== 'x-forwarded-proto' || !request.path.includes('%2f'),
      ),
      body: body === null ? null : { ...body, holds: isHeld || leavesInRequest },
    },
  };
}

/** Two of them make a word that is none, or an empty one. */
const ONCE = new Set([
  'content-type',
  'expect',
  'grpc-status',
  'grpc-timeout',
  'origin',
  'te',
  'user-agent',
  'x-forwarded-proto',
]);

function onceEach(fields: readonly Field[]): readonly Field[] {
  return fields.filter(
    ([name], i) => !ONCE.has(name) || i === fields.findIndex(([other]) => other === name),
  );
}

function endOf(
  { end, framing, status }: Answer,
  leaving: Case['leaves'],
  configuration: Configuration,
): AnswerEnd {
  if (leaving === 'waiting' || leaving === 'in-request')
    return { kind: 'silent', at: 'before-head' };
  if (leaving === 'in-answer') return { kind: 'silent', at: 'in-body' };
  if (end.kind === 'cut') return cutOf(end, { framing, status }, configuration);
  return end.kind === 'silent' && !configuration.hasTimeout ? { kind: 'whole' } : end;
}

function cutOf(
  end: Extract<AnswerEnd, { kind: 'cut' }>,
  { framing, status }: Pick<Answer, 'framing' | 'status'>,
  configuration: Configuration,
): AnswerEnd {
  const isStale = end.at === 'before-head' && retriesStaleConnections(configuration);
  const at = isStale ? 'after-head' : end.at;
  // That a reset ends an answer until the connection's end is for Envoy an end like any other.
  if (framing === 'until-close') return { ...end, by: 'end', at };
  // What is retried may go out on a connection that is about to end: of those only the stream does.
  const isRetriable = status >= 400 && at !== 'before-head';
  return { ...end, by: isRetriable && typeof end.by === 'string' ? INTERNAL_ERROR : end.by, at };
}

/** A body of so many bytes that shows which of them are missing. */
export function bodyOf(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, i) => 97 + ((i + Math.floor(i / 26)) % 26)));
}

/** The pieces of a body, of which none is empty unless the body is. */
export function piecesOf(body: Buffer, thousandths: readonly number[]): Buffer[] {
  const places = thousandths.map((cut) => Math.floor((cut / 1000) * body.length));
  const ordered = [...new Set([0, ...places, body.length])].toSorted((a, b) => a - b);
  return ordered.slice(0, -1).map((start, i) => body.subarray(start, ordered[i + 1]));
}
