/** A gRPC server whose one unary method answers with what it got (arguments: port, method such as `/shop.Cart/Get`). */
import * as grpc from '@grpc/grpc-js';

const [port = '', path = ''] = process.argv.slice(2);
const raw = (bytes: Buffer): Buffer => bytes;

const server = new grpc.Server();
server.addService(
  {
    echo: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: raw,
      requestDeserialize: raw,
      responseSerialize: raw,
      responseDeserialize: raw,
    },
  },
  {
    echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
      done(null, call.request),
  },
);
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
process.stdin.resume().once('end', () => process.exit(0));
