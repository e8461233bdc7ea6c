/** A name under which a query may be found. */
export interface Alias {
  readonly name: string;
  /** What was left of the query when a search domain had been taken off; null if none was. */
  readonly stripped: string | null;
}

/** Where a client is, for names that are not complete. */
export interface DnsClient {
  readonly namespace: string;
  /** Default `cluster.local`. */
  readonly clusterDomain: string;
}

/** What a resolver of the cluster appends to names that are not complete, in order. */
export function searchDomains({ namespace, clusterDomain }: DnsClient): readonly string[] {
  return [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
}

/**
 * The names to look for, in order: as asked, then completed as Kubernetes would, then both again without each search
 * domain that the resolver of the client may have appended (spec ztunnel 8). `name` is in lower case, without final dot.
 */
export function aliases(name: string, client: DnsClient): readonly Alias[] {
  const found: Alias[] = [{ name, stripped: null }];
  for (const complete of kubernetesNames(name, client)) {
    found.push({ name: complete, stripped: null });
  }
  for (const domain of searchDomains(client)) {
    const stripped = withoutSuffix(name, domain);
    if (stripped === null) continue;
    found.push({ name: stripped, stripped });
    for (const complete of kubernetesNames(stripped, client)) {
      found.push({ name: complete, stripped });
    }
  }
  return found;
}

/**
 * Keys of the services that a query may mean, to ask the control plane for: Services of Kubernetes by their full names, and
 * names of the outside world as the client's own namespace may have them.
 */
export function serviceKeys(name: string, client: DnsClient): readonly string[] {
  const own = keyOfKubernetesName(name, client);
  if (own !== null) return [own];
  const stripped = searchDomains(client).map((domain) => withoutSuffix(name, domain));
  const short = stripped.find((rest) => rest !== null) ?? name;
  const inside = kubernetesNames(short, client).map((full) => keyOfKubernetesName(full, client));
  return [`${client.namespace}/${short}`, ...inside.filter((key) => key !== null)];
}

/** Of `service.namespace.svc.cluster.local`; null for other names. */
function keyOfKubernetesName(name: string, { clusterDomain }: DnsClient): string | null {
  const labels = withoutSuffix(name, `svc.${clusterDomain}`)?.split('.') ?? [];
  return labels.length === 2 ? `${labels[1]}/${name}` : null;
}

/** The full names of Services that a short name may mean. */
export function kubernetesNames(
  name: string,
  { namespace, clusterDomain }: DnsClient,
): readonly string[] {
  const labels = name.split('.');
  const endsInSvc = labels.at(-1) === 'svc';
  switch (labels.length) {
    case 1:
      return [`${name}.${namespace}.svc.${clusterDomain}`];
    case 2:
      return [`${name}.svc.${clusterDomain}`, `${name}.${namespace}.svc.${clusterDomain}`];
    case 3: {
      const all = [`${name}.svc.${clusterDomain}`];
      if (endsInSvc) all.unshift(`${name}.${clusterDomain}`);
      return all;
    }
    case 4:
      return endsInSvc ? [`${name}.${clusterDomain}`] : [];
    default:
      return [];
  }
}

/** The name, then wildcards that cover it, the narrowest first. */
export function* wildcards(name: string): Iterable<string> {
  yield name;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    yield `*${name.slice(dot)}`;
  }
}

/** What stands before `.suffix`; null if the name does not end so. */
export function withoutSuffix(name: string, suffix: string): string | null {
  return name.endsWith(`.${suffix}`) ? name.slice(0, -suffix.length - 1) : null;
}
