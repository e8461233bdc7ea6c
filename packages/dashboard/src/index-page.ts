import { type EnrolledNamespace, hostOf, type MeshView, type PageGroup } from './pages.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Who is in the mesh, and everything that can be looked at, as one page without scripts. */
export function indexPage({ namespaces, groups }: MeshView, cluster: string, port: number): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="10">
<title>Aquifer: ${escaped(cluster)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Aquifer <small>${escaped(cluster)}</small></h1>
${enrolled(namespaces)}
${groups.map((group) => section(group, port)).join('\n')}
</body>
</html>
`;
}

function enrolled(namespaces: readonly EnrolledNamespace[]): string {
  const rows = namespaces.map(({ name, pods, captured, waypoint }) => {
    const mark = captured === pods ? 'ready' : 'not-ready';
    return `<tr><td>${escaped(name)}</td><td class="${mark}">${captured} of ${pods}</td><td>${escaped(waypoint ?? '')}</td></tr>`;
  });
  return table('Enrolled namespaces', ['Namespace', 'Pods captured', 'Waypoint'], rows);
}

function section({ title, rows }: PageGroup, port: number): string {
  const lines = rows.map(({ namespace, pod, node, state, pages }) => {
    const links = pages.map(
      (page) =>
        `<a href="http://${hostOf(page)}:${port}${escaped(page.path ?? '/')}">${escaped(page.title)}</a>`,
    );
    const mark = state === 'Ready' ? 'ready' : 'not-ready';
    return `<tr><td>${escaped(namespace)}</td><td>${escaped(pod)}</td><td>${escaped(node)}</td><td class="${mark}">${escaped(state)}</td><td>${links.join(' ')}</td></tr>`;
  });
  return table(title, ['Namespace', 'Pod', 'Node', 'State', 'Pages'], lines);
}

/** `rows` are HTML. */
function table(title: string, header: readonly string[], rows: readonly string[]): string {
  if (rows.length === 0) return `<h2>${escaped(title)}</h2>\n<p>none</p>`;
  return `<h2>${escaped(title)}</h2>
<table>
<thead><tr>${header.map((name) => `<th>${name}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>`;
}

/** Why a page cannot be shown, as a page. */
export function errorPage(message: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Aquifer</title><style>${STYLE}</style></head>
<body><h1>This page cannot be shown</h1><p>${escaped(message)}</p></body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!);
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 small { font-weight: normal; opacity: .6; }
h2 { margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
td a { margin-right: .75rem; }
.ready { color: light-dark(#18794e, #3dd68c); }
.not-ready { color: light-dark(#cd2b31, #ff6369); }
`;
