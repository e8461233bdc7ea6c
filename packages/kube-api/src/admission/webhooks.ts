/** Mutating and validating admission webhooks (Kubernetes "Dynamic Admission Control"). */
import { randomUUID } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import type { AdmissionWebhook } from '@aquifer/model/resources';
import { ApiStatusError } from '../api-status-error.ts';
import { isObject, type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import type { Admission, AdmissionRequest } from '../objects/objects.ts';
import { applyJsonPatch } from '../patches/json-patch.ts';
import { matchesLabelSelector } from '../selectors.ts';
import type { Storage } from '../storage/storage.ts';

const GROUP = 'admissionregistration.k8s.io';

/** Where a Service's webhook is reached: an address and port of one of its endpoints. */
export type ServiceResolver = (
  namespace: string,
  name: string,
  port: number,
) => { readonly host: string; readonly port: number } | null;

interface Call {
  readonly webhook: AdmissionWebhook;
  readonly admission: AdmissionRequest;
}

function includesOrStar(list: readonly string[] | undefined, value: string): boolean {
  return (list ?? []).some((item) => item === '*' || item === value);
}

function ruleMatches(webhook: AdmissionWebhook, admission: AdmissionRequest): boolean {
  const { resource, subresource, operation } = admission;
  const wanted = subresource === '' ? resource.plural : `${resource.plural}/${subresource}`;
  return (webhook.rules ?? []).some((rule) => {
    const scope = rule.scope ?? '*';
    const scoped = scope === '*' || (scope === 'Namespaced') === resource.namespaced;
    const named = (rule.resources ?? []).some(
      (item) => item === wanted || item === '*/*' || (item === '*' && subresource === ''),
    );
    return (
      scoped &&
      named &&
      includesOrStar(rule.operations, operation) &&
      includesOrStar(rule.apiGroups, resource.group) &&
      includesOrStar(rule.apiVersions, resource.version)
    );
  });
}

function reviewOf({ admission }: Call, uid: string): JsonObject {
  const { resource, target, request, object, previous } = admission;
  const { group, version, kind, plural } = resource;
  const what = {
    kind: { group, version, kind },
    resource: { group, version, resource: plural },
  };
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      ...what,
      ...(admission.subresource === '' ? {} : { subResource: admission.subresource }),
      requestKind: what.kind,
      requestResource: what.resource,
      name: target.name,
      ...(target.namespace === '' ? {} : { namespace: target.namespace }),
      operation: admission.operation,
      userInfo: request.user,
      object,
      oldObject: previous,
      dryRun: request.dryRun,
      options: null,
    },
  };
}

function denial(webhook: AdmissionWebhook, status: JsonObject): ApiStatusError {
  const message = stringOr(status.message);
  const reason = stringOr(status.reason);
  const why = message ?? (reason === undefined ? 'without explanation' : reason);
  const code = typeof status.code === 'number' && status.code >= 400 ? status.code : 400;
  const detail = message === undefined ? ` ${why}` : `: ${why}`;
  const text = `admission webhook "${webhook.name}" denied the request${detail}`;
  return new ApiStatusError(code, reason ?? (code === 403 ? 'Forbidden' : 'BadRequest'), text);
}

/** Calls the webhooks of the stored configurations, in the order of their names. */
export class AdmissionWebhooks implements Admission {
  readonly #storage: Storage;
  readonly #resolve: ServiceResolver;

  constructor(storage: Storage, resolve: ServiceResolver) {
    this.#storage = storage;
    this.#resolve = resolve;
  }

  #matching(plural: string, admission: AdmissionRequest): AdmissionWebhook[] {
    // The configurations themselves are exempt, so that a broken webhook can always be removed.
    if (admission.resource.group === GROUP) return [];
    return this.#storage
      .list(`${GROUP}/${plural}`)
      .flatMap((configuration) => listOr(configuration.webhooks) as readonly AdmissionWebhook[])
      .filter((webhook) => ruleMatches(webhook, admission) && this.#selects(webhook, admission));
  }

  #selects(webhook: AdmissionWebhook, admission: AdmissionRequest): boolean {
    const { resource, target, object, previous } = admission;
    const holder =
      resource.collection === '/namespaces'
        ? (object ?? previous)
        : this.#storage.get('/namespaces', '', target.namespace);
    const isNamespaced = resource.namespaced || resource.collection === '/namespaces';
    const labelsOf = (value: unknown): JsonObject =>
      objectOr(objectOr(objectOr(value).metadata).labels);
    const namespaceSelected =
      !isNamespaced || matchesLabelSelector(webhook.namespaceSelector, labelsOf(holder));
    const subjects = [object, previous].filter((value) => value !== null);
    return (
      namespaceSelected &&
      subjects.some((subject) => matchesLabelSelector(webhook.objectSelector, labelsOf(subject)))
    );
  }

  async mutate(admission: AdmissionRequest): Promise<JsonObject> {
    let object = objectOr(admission.object);
    for (const webhook of this.#matching('mutatingwebhookconfigurations', admission)) {
      const response = await this.#call({ webhook, admission: { ...admission, object } });
      const patch = stringOr(response?.patch);
      if (patch === undefined) continue;
      const operations: unknown = JSON.parse(Buffer.from(patch, 'base64').toString());
      object = applyJsonPatch(object, operations);
    }
    return object;
  }

  async validate(admission: AdmissionRequest): Promise<void> {
    for (const webhook of this.#matching('validatingwebhookconfigurations', admission)) {
      await this.#call({ webhook, admission });
    }
  }

  /** The webhook's response; null when it failed and its policy ignores that. Throws what it denies. */
  async #call(call: Call): Promise<JsonObject | null> {
    const { webhook, admission } = call;
    let response: JsonObject;
    try {
      response = await this.#exchange(call);
    } catch (cause) {
      if (webhook.failurePolicy === 'Ignore') return null;
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `Internal error occurred: failed calling webhook "${webhook.name}": failed to call webhook: ${why}`;
      throw new ApiStatusError(500, 'InternalError', message, { causes: [{ message: why }] });
    }
    for (const warning of listOr(response.warnings)) admission.request.warn(String(warning));
    if (response.allowed !== true) throw denial(webhook, objectOr(response.status));
    return response;
  }

  async #exchange(call: Call): Promise<JsonObject> {
    const uid = randomUUID();
    const { webhook } = call;
    const url = this.#urlOf(webhook);
    const { service } = webhook.clientConfig;
    const bundle = webhook.clientConfig.caBundle;
    const answer = await post(url, JSON.stringify(reviewOf(call, uid)), {
      ca: bundle === undefined ? undefined : Buffer.from(bundle, 'base64').toString(),
      servername: service === undefined ? undefined : `${service.name}.${service.namespace}.svc`,
      timeoutMs: (webhook.timeoutSeconds ?? 10) * 1000,
    });
    const review: unknown = JSON.parse(answer);
    const response = isObject(review) ? review.response : undefined;
    if (!isObject(response)) throw new Error('the answer is no AdmissionReview with a response');
    if (response.uid !== uid) throw new Error(`expected response.uid "${uid}"`);
    return response;
  }

  #urlOf({ clientConfig }: AdmissionWebhook): string {
    const { service, url } = clientConfig;
    if (service === undefined) return url ?? '';
    const at = this.#resolve(service.namespace, service.name, service.port ?? 443);
    if (at === null) throw new Error(`no endpoints available for service "${service.name}"`);
    return `https://${at.host}:${at.port}${service.path ?? '/'}`;
  }
}

interface PostOptions {
  readonly ca: string | undefined;
  readonly servername: string | undefined;
  readonly timeoutMs: number;
}

/** Webhook answers are small; anything larger is refused. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

function post(url: string, body: string, options: PostOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = httpsRequest(
    url,
    {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      signal: AbortSignal.timeout(options.timeoutMs),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.servername === undefined ? {} : { servername: options.servername }),
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) request.destroy(new Error('the answer is too large'));
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`the webhook answered ${response.statusCode}`));
      });
      response.on('error', reject);
    },
  );
  request.on('error', reject);
  request.end(body);
  return promise;
}
