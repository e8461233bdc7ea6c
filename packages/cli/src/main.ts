import { createContext } from './context.ts';
import { runCommandLine } from './program.ts';
import { withToolPath } from './tool-path.ts';

const context = createContext(withToolPath(process.env), process);
process.exitCode = await runCommandLine(process.argv.slice(2), context, (text) =>
  process.stderr.write(text),
);
