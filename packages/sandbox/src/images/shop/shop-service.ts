import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';

export interface ShopService {
  readonly name: string;
  readonly version: string;
  readonly pod: string;
  /** The services that it asks before it answers: URLs by their names. */
  readonly asks: Readonly<Record<string, string>>;
}

/** What it passes on, so that traces and routes by user reach through the whole shop. */
const PASSED_ON = /^(x-request-id|traceparent|tracestate|b3|x-b3-.*|user|cookie)$/;
const ASK_TIMEOUT_MS = 3_000;

interface Answer {
  readonly service: string;
  readonly version: string;
  readonly pod: string;
  /** What the others said, or why they did not. */
  readonly asked: Readonly<Record<string, unknown>>;
}

/** Answers every request with who answers and what the services behind it said; 502 when one of them did not. */
export function shopServer(service: ShopService): Server {
  return createServer((request, response) => {
    const { url = '/' } = request;
    if (url === '/healthz') return void response.end('ok\n');
    void answerOf(service, request.headers).then(({ answer, isWhole }) => {
      response.writeHead(isWhole ? 200 : 502, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(answer)}\n`);
    });
  });
}

async function answerOf(
  { name, version, pod, asks }: ShopService,
  headers: IncomingHttpHeaders,
): Promise<{ answer: Answer; isWhole: boolean }> {
  const asked = await Promise.all(
    Object.entries(asks).map(async ([other, url]) => ({ other, ...(await ask(url, headers)) })),
  );
  const said = Object.fromEntries(asked.map(({ other, what }) => [other, what]));
  return {
    answer: { service: name, version, pod, asked: said },
    isWhole: asked.every(({ isGood }) => isGood),
  };
}

async function ask(
  url: string,
  headers: IncomingHttpHeaders,
): Promise<{ what: unknown; isGood: boolean }> {
  const passed = Object.entries(headers).filter(([name]) => PASSED_ON.test(name));
  try {
    const response = await fetch(url, {
      headers: Object.fromEntries(passed.map(([name, value]) => [name, String(value)])),
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    const text = await response.text();
    if (response.ok) return { what: JSON.parse(text), isGood: true };
    return { what: `${response.status} ${text.trim()}`, isGood: false };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    return { what: cause?.message ?? message, isGood: false };
  }
}
