import type { DescMessage, DescService, MessageShape } from '@bufbuild/protobuf';
import { fromBinary, toBinary } from '@bufbuild/protobuf';

/** One RPC as `@grpc/grpc-js` wants it: path, kinds of streaming and codecs, for client and server alike. */
export interface GrpcMethod<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: Request) => Buffer;
  readonly requestDeserialize: (bytes: Uint8Array) => Request;
  readonly responseSerialize: (message: Response) => Buffer;
  readonly responseDeserialize: (bytes: Uint8Array) => Response;
}

type MethodsOf<Service extends DescService> = {
  [Name in keyof Service['method']]: GrpcMethod<
    MessageShape<Service['method'][Name]['input']>,
    MessageShape<Service['method'][Name]['output']>
  >;
};

/** The RPCs of a generated service, keyed by method name in lower camel case. */
export function grpcMethods<Service extends DescService>(service: Service): MethodsOf<Service> {
  const methods: Record<string, unknown> = {};
  for (const method of service.methods) {
    methods[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream:
        method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream:
        method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      ...codec('request', method.input),
      ...codec('response', method.output),
    };
  }
  return methods as MethodsOf<Service>;
}

function codec(prefix: 'request' | 'response', schema: DescMessage): Record<string, unknown> {
  return {
    [`${prefix}Serialize`]: (message: MessageShape<typeof schema>) => {
      const bytes = toBinary(schema, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    [`${prefix}Deserialize`]: (bytes: Uint8Array) => fromBinary(schema, bytes),
  };
}
