import type { PodAccess } from '../../cluster-client.ts';
import { badRequest } from '../status.ts';

/**
 * attach as an exec: what the container's own process writes from now on. Its input cannot be had afterwards, so a
 * client that wants it is refused.
 */
export function attachedTo(podAccess: PodAccess): PodAccess {
  return {
    ...podAccess,
    exec: async (ref, { stdin }) => {
      if (stdin) {
        throw badRequest(
          'the sandbox cannot attach to the input of a running container; use kubectl exec -it',
        );
      }
      const stdout = await podAccess.logs(ref, { follow: true, tailLines: 0 });
      const { promise: exitCode, resolve } = Promise.withResolvers<number>();
      stdout.on('close', () => resolve(0));
      return {
        stdin: null,
        stdout,
        stderr: null,
        resize: () => undefined,
        kill: () => stdout.destroy(),
        exitCode,
      };
    },
  };
}
