import type { HttpAnswer, HttpHandler, HttpRoutes } from '@aquifer/runtime';
import type { LogFilter } from './log-filter.ts';

const LOGGING_HELP = `
usage: POST /logging\t\t\t\t\t\t(To list current level)
usage: POST /logging?level=<level>\t\t\t\t(To change global levels)
usage: POST /logging?level={mod1}:{level1},{mod2}:{level2}\t(To change specific mods' logging level)

hint: loglevel:\terror|warn|info|debug|trace|off
hint: mod_name:\tthe module name, i.e. ztunnel::proxy
`;

const PAGES: readonly (readonly [path: string, description: string])[] = [
  ['quitquitquit', 'shut down the server'],
  ['config_dump', 'dump the current Ztunnel configuration'],
  ['logging', 'query/changing logging levels'],
];

export interface AdminPageOptions {
  readonly configDump: HttpHandler;
  readonly logFilter: LogFilter;
  /** Puts what the filter says into force. */
  readonly onLevelsChanged: () => void;
  /** Begins an orderly end of the process. */
  readonly onQuit: () => void;
}

/** What is served on 15000 (spec ztunnel 9.3). */
export function adminPages(options: AdminPageOptions): HttpRoutes {
  return {
    '/': () => ({ status: 200, contentType: 'text/html; charset=utf-8', body: indexPage() }),
    '/config_dump': options.configDump,
    '/logging': (request) => logging(request, options),
    '/quitquitquit': ({ method }) => {
      if (method !== 'POST') return { status: 405, body: '' };
      options.onQuit();
      return text(200, 'shutdown now\n');
    },
  };
}

function logging(
  { method, url }: Parameters<HttpHandler>[0],
  { logFilter, onLevelsChanged }: AdminPageOptions,
): HttpAnswer {
  if (method !== 'POST') return text(405, `Invalid HTTP method\n${LOGGING_HELP}`);
  const level = url.searchParams.get('level');
  const isReset = url.searchParams.has('reset');
  if (!logFilter.change(level ?? '', isReset)) {
    return text(400, `Invalid level provided: ${level}\n${LOGGING_HELP}`);
  }
  if (level !== null || isReset) onLevelsChanged();
  return text(200, `current log level is ${logFilter.text}\n`);
}

function text(status: number, body: string): HttpAnswer {
  return { status, contentType: 'text/plain', body };
}

function indexPage(): string {
  const rows = PAGES.map(
    ([path, description]) =>
      `<tr><td><a href="${path}">${path}</a></td><td>${description}</td></tr>`,
  );
  return `<!DOCTYPE html>
<html lang="en">
<head>
<title>Ztunnel Admin</title>
<style>
table { font-family: sans-serif; border-collapse: collapse; }
th, td { text-align: left; padding: 4px; }
tr:nth-child(even) { background-color: #dddddd; }
</style>
</head>
<body>
<table>
<tr><th>Command</th><th>Description</th></tr>
${rows.join('\n')}
</table>
</body>
</html>
`;
}
