/** Whether accounts of gateways may read the Secrets of their namespaces, as the API judges (spec l7 7.4). */
import type { SubjectAccessReview } from '@aquifer/model/resources';
import type { Logger } from '@aquifer/runtime';
import type { Collection } from '../collections/collection.ts';
import type { Input } from '../collections/nodes.ts';
import type { KubernetesApi } from './kubernetes-api.ts';

/** As Istio: what is taken away is noticed within a minute. */
const REFRESH_MS = 60_000;
const RETRY_MS = 5_000;
const PATH = '/apis/authorization.k8s.io/v1/subjectaccessreviews';

export interface SecretReadersDeps {
  readonly api: Pick<KubernetesApi, 'create'>;
  /** Accounts, `namespace/name`. */
  readonly wanted: Collection<string>;
  /** Gets the verdict, by account. The last one stays while the API does not answer. */
  readonly readers: Input<'allowed' | 'refused'>;
  readonly log: Logger;
  /** A verdict has changed. */
  readonly onChange: () => void;
}

/** Asks about who is wanted until stopped. */
export class SecretReaders {
  readonly #deps: SecretReadersDeps;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isStopped = false;

  constructor(deps: SecretReadersDeps) {
    this.#deps = deps;
  }

  /** After a round: who is newly wanted is asked about, and whom nobody wants any more is forgotten. */
  look(): void {
    const { wanted, readers } = this.#deps;
    const accounts = new Set([...wanted.entries()].map(([, account]) => account));
    for (const account of accounts) if (!this.#timers.has(account)) this.#askIn(0, account);
    for (const [account, timer] of this.#timers) {
      if (accounts.has(account)) continue;
      clearTimeout(timer);
      this.#timers.delete(account);
      readers.set(account, undefined);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #askIn(ms: number, account: string): void {
    clearTimeout(this.#timers.get(account));
    this.#timers.set(
      account,
      setTimeout(() => void this.#ask(account), ms),
    );
  }

  async #ask(account: string): Promise<void> {
    const { readers, log, onChange } = this.#deps;
    try {
      const verdict = await this.#review(account);
      if (this.#isStopped || !this.#timers.has(account)) return;
      if (readers.latest(account) !== verdict) {
        readers.set(account, verdict);
        if (verdict === 'refused') {
          log.warn('an account of a gateway may not list Secrets: it gets none', { account });
        }
        onChange();
      }
      this.#askIn(REFRESH_MS, account);
    } catch (error) {
      if (this.#isStopped || !this.#timers.has(account)) return;
      log.warn('an account cannot be judged; its last verdict stays', {
        account,
        error: (error as Error).message,
      });
      this.#askIn(RETRY_MS, account);
    }
  }

  async #review(account: string): Promise<'allowed' | 'refused'> {
    const [namespace = '', name = ''] = account.split('/');
    const { status } = await this.#deps.api.create<SubjectAccessReview>(PATH, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${namespace}:${name}`,
        groups: [
          'system:serviceaccounts',
          `system:serviceaccounts:${namespace}`,
          'system:authenticated',
        ],
        resourceAttributes: { namespace, verb: 'list', resource: 'secrets' },
      },
    });
    return status?.allowed === true ? 'allowed' : 'refused';
  }
}
