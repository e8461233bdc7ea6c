/** A run as one page that needs nothing else: no scripts, no fonts, no pictures from elsewhere. */
import { MODE_TITLES } from '../modes.ts';
import { drawChart, escapeHtml, legendSign } from './chart.ts';
import { actions, answers, cautions, METHOD, NOT_MEASURED } from './findings.ts';
import type { ComparisonReport } from './report.ts';
import { reportCharts } from './report-charts.ts';
import { costTable, givenTable, projectionTable, sizeTables, type Table } from './table.ts';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #212529; max-width: 1080px; margin: 2rem auto; padding: 0 1.2rem }
h1 { font-size: 1.7rem; margin: 0 0 .2rem } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem }
.about { color: #5c636a; margin: 0 0 1.2rem }
.answer li { font-size: 1.06rem; margin: .35rem 0 }
.caution { background: #fff4e6; border-left: 4px solid #e8590c; padding: .5rem 1rem; margin: 1.2rem 0 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 530px)); gap: 1.2rem }
.charts svg { width: 100%; height: auto }
.legend span { margin-right: 1.4rem; white-space: nowrap } .legend svg { vertical-align: -1px; margin-right: .35rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; margin-bottom: 1.2rem }
caption { text-align: left; font-weight: 600; padding: .3rem 0; white-space: nowrap }
th, td { padding: .28rem .9rem .28rem 0; border-bottom: 1px solid #e9ecef; text-align: left; vertical-align: top }
td:first-child { color: #495057 } td.part { padding-left: 1rem }
code { background: #f1f3f5; padding: .1rem .3rem; overflow-wrap: anywhere }
@media print { .charts { grid-template-columns: 1fr 1fr } }
`;

/** HTML of a report, with its raw samples inside as JSON (`<script type="application/json" id="report">`). */
export function reportPage(report: ComparisonReport): string {
  const { environment, settings } = report;
  const about = `${environment.startedAt.slice(0, 16).replace('T', ' ')} UTC · ${report.workload} · ${settings.pods.join(', ')} pods on ${environment.nodes} nodes · ${settings.rates.join(', ')} requests/s`;
  const warnings = cautions(report);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What a mesh costs</title>
<style>${STYLE}</style>
</head>
<body>
<h1>What a mesh costs: sidecars and ambient mode</h1>
<p class="about">${escapeHtml(about)}</p>
<ul class="answer">${items(answers(report))}</ul>
${warnings.length === 0 ? '' : `<div class="caution"><strong>Keep in mind</strong><ul>${items(warnings)}</ul></div>`}
<p class="legend">${settings.modes.map((mode) => `<span>${legendSign(mode)}${MODE_TITLES[mode]}</span>`).join('')}</p>
<div class="charts">${reportCharts(report)
    .map((chart) => `<figure style="margin:0">${drawChart(chart)}</figure>`)
    .join('')}</div>
<p class="about">Dots are measured; lines are the fit below. Sidecars are paid for each pod, node proxies for each node. While they are measured, node proxies hold the pods of all ambient modes, so their dots are above their lines.</p>
<h2>What to do</h2>
<ul>${items(actions(report))}</ul>
${section('Your cluster', [projectionTable(report)])}
<h2>Measured</h2>
${report.sizes.flatMap(sizeTables).map(htmlTable).join('')}
<p class="about">Ranges in brackets are 95 % intervals.</p>
${section('Cost of a node, a pod and a request', [costTable(report)])}
${section('What you get for it', [givenTable(report)])}
<h2>How it was measured</h2>
<ul>${items([...METHOD, machineLine(report)])}</ul>
<p>Again, in the same order: <code>${escapeHtml(report.command)}</code></p>
<h2>What was not measured</h2>
<ul>${items(NOT_MEASURED)}</ul>
<p class="about">The raw samples of every round are in this file, as JSON.</p>
<script type="application/json" id="report">${JSON.stringify(report).replaceAll('<', '\\u003c')}</script>
</body>
</html>
`;
}

function machineLine({ environment, foreignPart, settings }: ComparisonReport): string {
  const { processors, processor, memoryGiB, kernel, node, idleBefore, loadAverage } = environment;
  return `On ${processors} × ${processor}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; ${percent(idleBefore)} of the processors idle before the start (load average ${loadAverage.toFixed(1)}); others used ${percent(foreignPart)} of them meanwhile. Seed ${settings.seed}.`;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function items(texts: readonly string[]): string {
  return texts.map((text) => `<li>${escapeHtml(text)}</li>`).join('');
}

function section(title: string, tables: readonly (Table | null)[]): string {
  const shown = tables.filter((table) => table !== null);
  return shown.length === 0 ? '' : `<h2>${title}</h2>${shown.map(htmlTable).join('')}`;
}

function htmlTable({ title, header, rows }: Table): string {
  const head = header.map((cell) => `<th scope="col">${escapeHtml(cell)}</th>`).join('');
  const body = rows
    .map(([first = '', ...cells]) => {
      const isPart = first.startsWith(' ') ? ' class="part"' : '';
      const rest = cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('');
      return `<tr><td${isPart}>${escapeHtml(first.trim())}</td>${rest}</tr>`;
    })
    .join('');
  return `<div class="wide"><table><caption>${escapeHtml(title)}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
