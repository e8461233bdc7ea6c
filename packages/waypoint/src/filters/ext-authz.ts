/** Whether a request may pass, as somebody else decides it (spec l7 5.5; Envoy's ext_authz filter). */
import { type HeaderList, type RequestHead, removeHeader } from '@aquifer/http';
import type { TextMatch } from '../compile/string-match.ts';
import type { SideAnswer, SideQuestion } from '../request/side-call.ts';

/** A request as the one who is asked hears of it. */
export interface AskedRequest {
  readonly method: string;
  readonly authority: string;
  /** With its query. */
  readonly target: string;
  readonly scheme: string;
  readonly version: 'HTTP/1.1' | 'HTTP/2';
  readonly headers: readonly string[];
  /** SPIFFE URI of the client, and of the service that it asks; empty where it is not known. */
  readonly peerPrincipal: string;
  readonly client: { readonly ip: string; readonly port: number };
  readonly destination: { readonly ip: string; readonly port: number };
  /** As much as is asked about; null if bodies are not. */
  readonly body: { readonly bytes: Buffer; readonly isPartial: boolean } | null;
}

export type HeaderEdit = readonly [name: string, value: string, how: 'set' | 'append' | 'remove'];

export type Verdict =
  | {
      readonly kind: 'allow';
      readonly request: readonly HeaderEdit[];
      readonly removed: readonly string[];
      readonly response: readonly HeaderEdit[];
    }
  | {
      readonly kind: 'deny';
      readonly status: number;
      readonly headers: readonly HeaderEdit[];
      readonly body: string | Buffer;
    };

/** In which words it is asked. */
export interface Provider {
  questionOf(request: AskedRequest): Omit<SideQuestion, 'timeoutMs'>;
  /** Null if it is no answer. */
  verdictOf(answer: SideAnswer): Verdict | null;
}

/** Of the HTTP service. */
export interface HttpProviderSettings {
  readonly pathPrefix: string;
  /** Which of the client's headers it hears of, beside those that it always does. */
  readonly hears: TextMatch;
  readonly added: readonly (readonly [name: string, value: string])[];
  /** Of its answer: what goes on with an allowed request, and what comes back with its answer or with a denial. */
  readonly upstream: TextMatch;
  readonly onAllow: TextMatch;
  /** Null for all of them. */
  readonly onDeny: TextMatch | null;
}

/** These say how a message is framed. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
]);

/** What a denial always has of the answer. */
const ALWAYS_DENIED_WITH: ReadonlySet<string> = new Set(['www-authenticate', 'location']);

/** A request like the one that waits, of which 200 says that it may pass. */
export function httpProvider(settings: HttpProviderSettings): Provider {
  const { pathPrefix, hears, added, upstream, onAllow, onDeny } = settings;
  return {
    questionOf: ({ method, authority, target, scheme, headers, body }) => {
      const heard: HeaderList = [];
      for (const [name, value] of pairs(headers)) {
        if (FRAMING.has(name)) continue;
        if (name === 'authorization' || hears(name)) heard.push(name, value);
      }
      const overridden = new Set(added.map(([name]) => name));
      const sent = pairs(heard)
        .filter(([name]) => !overridden.has(name))
        .flat();
      for (const [name, value] of added) sent.push(name, value);
      if (body !== null) sent.push('x-envoy-auth-partial-body', String(body.isPartial));
      const bytes = body?.bytes ?? Buffer.alloc(0);
      sent.push('content-length', String(bytes.length));
      const head: RequestHead = {
        method,
        scheme,
        authority,
        path: pathPrefix + target,
        headers: sent,
      };
      return { version: 'HTTP/1.1', head, body: bytes };
    },
    verdictOf: ({ status, headers, body }) => {
      const edits = pairs(headers)
        .filter(([name]) => !FRAMING.has(name))
        .map(([name, value]): HeaderEdit => [name, value, 'set']);
      if (status >= 500) return null;
      if (status === 200) {
        return {
          kind: 'allow',
          request: edits.filter(([name]) => upstream(name)),
          removed: [],
          response: edits.filter(([name]) => onAllow(name)),
        };
      }
      const isToldOf = (name: string): boolean =>
        onDeny === null || onDeny(name) || ALWAYS_DENIED_WITH.has(name);
      return {
        kind: 'deny',
        status,
        headers: edits
          .filter(([name]) => isToldOf(name))
          .map(([name, value]) => [name, value, name === 'content-type' ? 'set' : 'append']),
        body,
      };
    },
  };
}

function pairs(headers: readonly string[]): (readonly [string, string])[] {
  return Array.from({ length: headers.length / 2 }, (_, i) => [
    headers[2 * i]!,
    headers[2 * i + 1]!,
  ]);
}

/** Of an edit that would change how a message is framed, or where it goes, nothing comes. */
export function edit(headers: HeaderList, edits: readonly HeaderEdit[]): void {
  const seen = new Set<string>();
  for (const [name, value, how] of edits) {
    if (name.startsWith(':') || name === 'host' || FRAMING.has(name)) continue;
    // Of several values that are set, all stay.
    if (how !== 'append' && !seen.has(name)) removeHeader(headers, name);
    seen.add(name);
    if (how !== 'remove') headers.push(name, value);
  }
}
