import { createContext } from './context.ts';
import { runCommandLine } from './program.ts';
import { withToolPath } from './tool-path.ts';

// A reader that has enough, such as `head`, is no failure: like programs that SIGPIPE ends (128 + 13).
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  process.exit(code === 'EPIPE' ? 141 : 1);
});

const context = createContext(withToolPath(process.env), process);
process.exitCode = await runCommandLine(process.argv.slice(2), context, (text) =>
  process.stderr.write(text),
);
