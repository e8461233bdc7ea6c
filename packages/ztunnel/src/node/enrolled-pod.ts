import { formatIpAddress } from '@aquifer/model';
import { EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { fromBinary } from '@bufbuild/protobuf';
import type { CapturedPod } from '../policy/captured-pod.ts';

/** A pod to capture, as the control plane describes it. */
export interface EnrolledPod extends CapturedPod {
  /** Empty until Kubernetes knows them. */
  readonly addresses: readonly string[];
  readonly bypassInbound: boolean;
  /** What its cgroup may be named after: its uid or, for a static pod, the hash of the file that describes it. */
  readonly cgroupIds: readonly string[];
}

/** `captureDns` is for pods that do not say. Throws, saying what is missing. */
export function decodeEnrolledPod(body: Uint8Array, captureDns: boolean): EnrolledPod {
  const pod = fromBinary(EnrolledPodSchema, body);
  const addresses = pod.addresses.map(formatIpAddress).filter((ip) => ip !== null);
  if (pod.uid === '') throw new Error('enrolled pod has no uid');
  const { uid, namespace, name, serviceAccount, bypassInboundCapture: bypassInbound } = pod;
  const cgroupIds = [uid, pod.configHash].filter((id) => id !== '');
  return {
    uid,
    namespace,
    name,
    serviceAccount,
    addresses,
    bypassInbound,
    captureDns: pod.dnsCapture ?? captureDns,
    cgroupIds,
  };
}
