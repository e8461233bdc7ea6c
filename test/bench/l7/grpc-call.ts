/** Makes one unary call (arguments: host:port, method, message) and prints the answer; fails with its status. */
import { Client, credentials } from '@grpc/grpc-js';

const [address = '', path = '', message = ''] = process.argv.slice(2);
const raw = (bytes: Buffer): Buffer => bytes;

const client = new Client(address, credentials.createInsecure());
client.makeUnaryRequest(path, raw, raw, Buffer.from(message), (error, answer) => {
  if (error !== null) throw error;
  process.stdout.write(answer!);
  client.close();
});
