import type { ApiObject, ClusterClient, ResourceKey } from '@aquifer/kube-api';

const EVENTS: ResourceKey = { group: '', version: 'v1', plural: 'events' };

const MOST_SIMILAR = 10;
const SIMILAR_FOR_MS = 600_000;

/** The object that an event is about. */
export type EventSubject = Pick<ApiObject, 'apiVersion' | 'kind'> & {
  metadata: { name: string; namespace?: string; uid?: string; resourceVersion?: string };
};

/** Records events as `kubectl describe` and `kubectl get events` show them; repeated ones are counted. */
export class EventRecorder {
  readonly #client: ClusterClient;
  readonly #component: string;
  readonly #host: string | null;
  readonly #known = new Map<string, { name: string; count: number }>();
  readonly #similar = new Map<string, { messages: Set<string>; lastAtMs: number }>();
  #pending: Promise<void> = Promise.resolve();

  /** `host` is the node of a kubelet; null for a controller. */
  constructor(client: ClusterClient, component: string, host: string | null = null) {
    this.#client = client;
    this.#component = component;
    this.#host = host;
  }

  normal(subject: EventSubject, reason: string, message: string, fieldPath?: string): void {
    this.#record({ type: 'Normal', subject, reason, message, fieldPath });
  }

  warning(subject: EventSubject, reason: string, message: string, fieldPath?: string): void {
    this.#record({ type: 'Warning', subject, reason, message, fieldPath });
  }

  /** Resolves when everything recorded so far was stored, or could not be. */
  settled(): Promise<void> {
    return this.#pending;
  }

  #record(event: Recorded): void {
    // An event that cannot be stored (its namespace is going) must not disturb what it tells of.
    this.#pending = this.#pending.then(() => this.#store(event).catch(() => undefined));
  }

  /** The tenth message about the same within ten minutes, and all later ones, share one event (client-go `EventAggregator`). */
  #combine({ subject, reason, message, type, fieldPath }: Recorded): {
    key: string;
    message: string;
  } {
    const similar = [subject.metadata.uid, type, reason, fieldPath].join('\0');
    const before = this.#similar.get(similar);
    const isRecent = before !== undefined && Date.now() - before.lastAtMs < SIMILAR_FOR_MS;
    const messages = isRecent ? before.messages : new Set<string>();
    this.#similar.set(similar, { messages, lastAtMs: Date.now() });
    if (messages.has(message) || messages.size < MOST_SIMILAR - 1) {
      messages.add(message);
      return { key: `${similar}\0${message}`, message };
    }
    return { key: similar, message: `(combined from similar events): ${message}` };
  }

  async #store(event: Recorded): Promise<void> {
    const { subject, reason, type, fieldPath } = event;
    const namespace = subject.metadata.namespace ?? 'default';
    const { key, message } = this.#combine(event);
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.count++;
      const patch = { count: known.count, lastTimestamp: now, message };
      await this.#client.mergePatch(EVENTS, { name: known.name, namespace }, patch);
      return;
    }
    const name = `${subject.metadata.name}.${nameTime()}`;
    this.#known.set(key, { name, count: 1 });
    await this.#client.create(EVENTS, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: {
        apiVersion: subject.apiVersion,
        kind: subject.kind,
        ...subject.metadata,
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      reason,
      message,
      type,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      eventTime: null,
      source: {
        component: this.#component,
        ...(this.#host === null ? {} : { host: this.#host }),
      },
      reportingComponent: this.#component,
      reportingInstance: this.#host ?? '',
    });
  }
}

let lastTime = 0n;

/** Nanoseconds since 1970 in hexadecimal, never the same twice: events of an object are listed as they happened. */
function nameTime(): string {
  const now = BigInt(Date.now()) * 1_000_000n;
  lastTime = now > lastTime ? now : lastTime + 1n;
  return lastTime.toString(16);
}

interface Recorded {
  readonly type: 'Normal' | 'Warning';
  readonly subject: EventSubject;
  readonly reason: string;
  readonly message: string;
  readonly fieldPath: string | undefined;
}
