/** The release of Kubernetes whose API and behaviour ours follow. */
export const KUBERNETES_VERSION = 'v1.34.1';
