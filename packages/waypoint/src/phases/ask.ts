import type { ExternalCheck } from '../compile/ext-authz.ts';
import { edit, type Verdict } from '../filters/ext-authz.ts';
import { BodyPrefix } from '../request/body-prefix.ts';
import type { HttpRequest } from '../request/http-request.ts';
import { BODY_TOO_LONG, externallyDenied, UNDECIDED } from '../request/outcome.ts';
import { MAX_REPLAY_BYTES } from '../request/request-body.ts';
import { SideCall } from '../request/side-call.ts';

/** Whoever the chain has asked whether the request may pass, one after the other. */
export function askProviders(
  request: HttpRequest,
  resume: (request: HttpRequest) => void,
): boolean {
  const { externalChecks } = request.connection.chain;
  return externalChecks.length > 0 && askFrom(0, request, resume);
}

function askFrom(
  first: number,
  request: HttpRequest,
  resume: (request: HttpRequest) => void,
): boolean {
  const { externalChecks } = request.connection.chain;
  for (let i = first; i < externalChecks.length; i++) {
    const check = externalChecks[i]!;
    if (check.asks(request) === null) continue;
    ask(check, request, () => {
      if (!askFrom(i + 1, request, resume)) resume(request);
    });
    return true;
  }
  return false;
}

/** What one read brings behind the bytes that are asked about. */
const ONE_READ_BYTES = 128 * 1024;

function ask(check: ExternalCheck, request: HttpRequest, then: () => void): void {
  const hasBody = request.exchange.body !== 0 && !request.isUpgrade;
  if (check.body === null || !hasBody) {
    send(check, request, { body: null, then });
    return;
  }
  const { maxBytes, ofLonger } = check.body;
  const body = request.ownBody(MAX_REPLAY_BYTES + ONE_READ_BYTES);
  const prefix = new BodyPrefix(maxBytes, (found) => {
    body.release();
    if (found.isPartial && ofLonger === 'refused') request.reply(BODY_TOO_LONG);
    else send(check, request, { body: found, then });
  });
  request.waitOn(prefix);
  body.startOver(prefix);
}

interface Asking {
  readonly body: { readonly bytes: Buffer; readonly isPartial: boolean } | null;
  readonly then: () => void;
}

function send(check: ExternalCheck, request: HttpRequest, { body, then }: Asking): void {
  const { connection } = request;
  const { deps, info } = connection;
  const question = check.provider.questionOf({
    method: request.method,
    authority: request.authority,
    target: request.target,
    scheme: request.scheme,
    version: connection.version,
    headers: request.exchange.head.headers,
    peerPrincipal: request.peerPrincipal,
    client: info.client,
    destination: info.destination,
    body,
  });
  const call = new SideCall({ ...question, timeoutMs: check.timeoutMs }, deps.timers, (answer) => {
    const verdict = answer === null ? null : check.provider.verdictOf(answer);
    request.goOn(() => decide(check, request, verdict, then));
  });
  request.waitOn(call);
  call.start(deps.config.clusters.get(check.cluster, info.destination));
}

function decide(
  { failure }: ExternalCheck,
  request: HttpRequest,
  verdict: Verdict | null,
  then: () => void,
): void {
  if (verdict === null) {
    if (failure === 'passes') then();
    else request.reply({ ...UNDECIDED, status: failure });
    return;
  }
  if (verdict.kind === 'deny') {
    request.changeAnswer((answer) => edit(answer, verdict.headers));
    request.reply(externallyDenied(verdict.status, verdict.body));
    return;
  }
  const { headers } = request.exchange.head;
  for (const name of verdict.removed) edit(headers, [[name, '', 'remove']]);
  edit(headers, verdict.request);
  if (verdict.response.length > 0) {
    request.changeAnswer((answer) => edit(answer, verdict.response));
  }
  then();
}
