export { Backoff } from './backoff.ts';
export type { CaptureReport } from './capture-report.ts';
export { reportCapture } from './capture-report.ts';
export type { CertificateManagerOptions, CertificateState } from './certificate-manager.ts';
export { CertificateManager } from './certificate-manager.ts';
export type { CredentialConfig } from './credential-config.ts';
export { CONTROL_PLANE_ADDRESS, CREDENTIAL_KEYS } from './credential-config.ts';
export type { ControlPlaneEndpoint } from './credentials.ts';
export type { CsrClientOptions } from './csr-client.ts';
export { CsrClient } from './csr-client.ts';
export type { DeltaStreamOptions, NodeDescription, TerminationReason } from './delta-stream.ts';
export { DeltaStream } from './delta-stream.ts';
export type { DemandChange } from './demanded-names.ts';
export { DemandedNames } from './demanded-names.ts';
export type { IssuedCertificate } from './issued-certificate.ts';
export type {
  ReceivedResource,
  RejectedResource,
  ResourceBatch,
  Subscription,
} from './subscription.ts';
