import { randomBytes } from 'node:crypto';
import type { ApiObject, ClusterClient, ResourceKey } from '../cluster-client.ts';

const EVENTS: ResourceKey = { group: '', version: 'v1', plural: 'events' };

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

  async #store(event: Recorded): Promise<void> {
    const { subject, reason, message, type, fieldPath } = event;
    const namespace = subject.metadata.namespace ?? 'default';
    const key = [subject.metadata.uid, type, reason, message, fieldPath].join('\0');
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.count++;
      const patch = { count: known.count, lastTimestamp: now };
      await this.#client.mergePatch(EVENTS, { name: known.name, namespace }, patch);
      return;
    }
    const name = `${subject.metadata.name}.${randomBytes(8).toString('hex')}`;
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

interface Recorded {
  readonly type: 'Normal' | 'Warning';
  readonly subject: EventSubject;
  readonly reason: string;
  readonly message: string;
  readonly fieldPath: string | undefined;
}
