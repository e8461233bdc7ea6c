import {
  Version,
  WorkloadRequestSchema,
  WorkloadResponseSchema,
  ZdsHelloSchema,
} from '@aquifer/wire/gen/istio/zds_pb';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';

/** The pod as the node agent describes it. */
export interface PodInfo {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** What the node agent asks for (spec ztunnel 7.2). `info` is null if it was left out. */
export type ZdsRequest =
  | {
      readonly kind: 'add';
      readonly uid: string;
      readonly info: PodInfo | null;
      readonly fd: number;
    }
  | { readonly kind: 'keep' | 'del'; readonly uid: string }
  | { readonly kind: 'snapshot-sent' };

/** Throws if it is no request, or if descriptors came where none belong, or none where one does. */
export function decodeRequest(bytes: Uint8Array, fds: readonly number[]): ZdsRequest {
  const { payload } = fromBinary(WorkloadRequestSchema, bytes);
  if (payload.case === 'add') {
    const [fd, ...more] = fds;
    if (fd === undefined) throw new Error('a pod was added without its network namespace');
    if (more.length > 0) throw new Error(`${fds.length} descriptors came with one pod`);
    const { uid, workloadInfo: info = null } = payload.value;
    return { kind: 'add', uid, info, fd };
  }
  if (fds.length > 0) throw new Error(`a descriptor came with ${payload.case ?? 'nothing'}`);
  switch (payload.case) {
    case 'keep':
    case 'del':
      return { kind: payload.case, uid: payload.value.uid };
    case 'snapshotSent':
      return { kind: 'snapshot-sent' };
    case undefined:
      throw new Error('an unknown request');
  }
}

export function encodeHello(): Uint8Array {
  return toBinary(ZdsHelloSchema, create(ZdsHelloSchema, { version: Version.V1 }));
}

/** `error` is empty if the request was carried out. */
export function encodeAck(error: string): Uint8Array {
  const payload = { case: 'ack' as const, value: { error } };
  return toBinary(WorkloadResponseSchema, create(WorkloadResponseSchema, { payload }));
}
