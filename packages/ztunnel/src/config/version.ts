import { type EnvSource, VERSION } from '@aquifer/runtime';

/** What this is; a program without a compiler has no more to say (spec ztunnel 1.1). */
export function buildInfo(istioVersion: string): Readonly<Record<string, string>> {
  return {
    version: VERSION,
    gitRevision: 'unknown',
    rustVersion: 'unknown',
    buildProfile: 'release',
    buildStatus: 'unknown',
    istioVersion,
    cryptoProvider: 'tls-openssl',
  };
}

/** As Istio's ztunnel prints it: `version.BuildInfo{Version:"…", …}`. */
export function versionText(env: EnvSource): string {
  const fields = Object.entries(buildInfo(env.ISTIO_META_ISTIO_VERSION || 'unknown')).map(
    ([name, value]) => `${name.charAt(0).toUpperCase()}${name.slice(1)}:"${value}"`,
  );
  return `version.BuildInfo{${fields.join(', ')}}`;
}
