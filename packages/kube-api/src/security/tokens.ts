/** Service account tokens: JWTs signed by the cluster's own key (Kubernetes "Managing Service Accounts", bound tokens). */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import { ApiStatusError } from '../api-status-error.ts';
import { isObject, objectOr, stringOr } from '../json.ts';
import type { UserInfo } from '../objects/write-request.ts';
import type { Storage } from '../storage/storage.ts';

/** Issuer and default audience of every token. */
export const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const DEFAULT_SECONDS = 3600;
const MINIMUM_SECONDS = 600;

/** Whom a token shall stand for. */
export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
  /** Seconds. */
  readonly expirationSeconds: number | undefined;
  readonly boundPod: { readonly name: string; readonly uid: string | undefined } | undefined;
}

/** A signed token and its end. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: Date;
}

function loadKey(directory: string): KeyObject {
  const path = join(directory, 'service-accounts.key');
  if (!existsSync(path)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  }
  return createPrivateKey(readFileSync(path, 'utf8'));
}

/** Issues tokens and verifies its own; the key is made on first use and kept. */
export class Tokens {
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #storage: Storage;
  #keyId = '';

  constructor(directory: string, storage: Storage) {
    this.#key = loadKey(directory);
    this.#publicKey = createPublicKey(this.#key);
    this.#storage = storage;
  }

  /** The public key, as `/openid/v1/jwks` publishes it. */
  async jwk(): Promise<JWK> {
    const jwk = await exportJWK(this.#publicKey);
    this.#keyId = await calculateJwkThumbprint(jwk);
    return { ...jwk, kid: this.#keyId, use: 'sig', alg: 'RS256' };
  }

  /** Throws 404 if the service account does not exist. */
  async issue(subject: TokenSubject): Promise<IssuedToken> {
    const { namespace, serviceAccount: name } = subject;
    const account = this.#storage.get('/serviceaccounts', namespace, name);
    if (account === null) {
      const message = `serviceaccounts "${name}" not found`;
      throw new ApiStatusError(404, 'NotFound', message, { name, kind: 'serviceaccounts' });
    }
    if (this.#keyId === '') await this.jwk();
    const seconds = Math.max(subject.expirationSeconds ?? DEFAULT_SECONDS, MINIMUM_SECONDS);
    const issuedAt = Math.floor(Date.now() / 1000);
    const audiences = subject.audiences.length === 0 ? [ISSUER] : [...subject.audiences];
    const token = await new SignJWT({
      'kubernetes.io': {
        namespace,
        serviceaccount: { name, uid: account.metadata.uid },
        ...this.#podClaims(namespace, subject.boundPod),
      },
    })
      .setProtectedHeader({ alg: 'RS256', kid: this.#keyId })
      .setIssuer(ISSUER)
      .setSubject(`system:serviceaccount:${namespace}:${name}`)
      .setAudience(audiences)
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + seconds)
      .setJti(randomUUID())
      .sign(this.#key);
    return { token, expiresAt: new Date((issuedAt + seconds) * 1000) };
  }

  #podClaims(namespace: string, bound: TokenSubject['boundPod']): Record<string, unknown> {
    if (bound === undefined) return {};
    const pod = this.#storage.get('/pods', namespace, bound.name);
    const uid = bound.uid ?? pod?.metadata.uid;
    const nodeName = stringOr(objectOr(pod?.spec).nodeName);
    const node = nodeName === undefined ? null : this.#storage.get('/nodes', '', nodeName);
    return {
      pod: { name: bound.name, uid },
      ...(node === null ? {} : { node: { name: nodeName, uid: node.metadata.uid } }),
    };
  }

  /**
   * Who a token speaks for, and for which of the wanted audiences. Null if the signature, the time, the audience, the
   * service account or the pod it is bound to does not hold.
   */
  async verify(
    token: string,
    audiences: readonly string[],
  ): Promise<{ readonly user: UserInfo; readonly audiences: readonly string[] } | null> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        issuer: ISSUER,
        audience: [...audiences],
        algorithms: ['RS256'],
      });
      const user = this.#userOf(payload['kubernetes.io']);
      const held = [payload.aud ?? []].flat().filter((audience) => audiences.includes(audience));
      return user === null ? null : { user, audiences: held };
    } catch {
      // Any token that does not verify is simply not accepted; the caller answers 401.
      return null;
    }
  }

  #userOf(claims: unknown): UserInfo | null {
    const { namespace, serviceaccount, pod, node } = objectOr(claims);
    const space = stringOr(namespace) ?? '';
    const account = objectOr(serviceaccount);
    const name = stringOr(account.name) ?? '';
    const stored = this.#storage.get('/serviceaccounts', space, name);
    if (stored === null || stored.metadata.uid !== account.uid) return null;
    if (isObject(pod)) {
      const bound = this.#storage.get('/pods', space, stringOr(pod.name) ?? '');
      if (bound === null || bound.metadata.uid !== pod.uid) return null;
    }
    const extra: Record<string, readonly string[]> = {};
    for (const [kind, holder] of Object.entries({ pod, node })) {
      if (!isObject(holder)) continue;
      extra[`authentication.kubernetes.io/${kind}-name`] = [String(holder.name)];
      extra[`authentication.kubernetes.io/${kind}-uid`] = [String(holder.uid)];
    }
    return {
      username: `system:serviceaccount:${space}:${name}`,
      uid: String(account.uid),
      groups: ['system:serviceaccounts', `system:serviceaccounts:${space}`, 'system:authenticated'],
      extra,
    };
  }
}
