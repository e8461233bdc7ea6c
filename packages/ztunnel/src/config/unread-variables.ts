import type { EnvSource } from '@aquifer/runtime';

/** Variables of Istio's ztunnel that this one does not read, and what that means for whoever sets them. */
const UNREAD: Readonly<Record<string, string>> = {
  ENABLE_PROXY: 'the proxy runs',
  ISTIO_META_DNS_PROXY_ADDR: 'the DNS proxy listens on localhost:15053',
  TRUST_DOMAIN: 'the control plane says which trust domain the proxy is in',
  FAKE_CA: 'certificates come from a certificate authority only: see CA_ADDRESS',
};

/** What to say, once, about variables that are set and have no effect; `NAME: what happens instead`. */
export function unreadVariables(env: EnvSource): readonly string[] {
  return Object.entries(UNREAD)
    .filter(([name]) => (env[name] ?? '') !== '' && env[name] !== 'false')
    .map(([name, instead]) => `${name}: ${instead}`);
}
