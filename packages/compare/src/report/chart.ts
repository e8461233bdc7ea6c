import type { Mode } from '../modes.ts';

/** A point of a line; both in the units of the axes. */
export type Point = readonly [x: number, y: number];

export interface Series {
  readonly mode: Mode;
  /** What a model says: drawn as a line. */
  readonly line: readonly Point[];
  /** What was measured: drawn as dots. */
  readonly dots: readonly Point[];
}

interface Axis {
  readonly title: string;
  readonly ticks: readonly number[];
  readonly isLogarithmic?: boolean;
  /** Of a tick; default: the number. */
  readonly label?: (tick: number) => string;
}

export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** Vertical lines with a word beside them. */
  readonly marks: readonly { readonly x: number; readonly text: string; readonly mode: Mode }[];
}

/** Told apart by people with any sight of colours, with the dashes. */
const COLORS: Readonly<Record<Mode, string>> = {
  none: '#868e96',
  sidecar: '#d9480f',
  'own-sidecar': '#ae3ec9',
  ambient: '#1864ab',
  waypoint: '#0ca678',
};
const DASHES: Readonly<Record<Mode, string>> = {
  none: '2 3',
  sidecar: '',
  'own-sidecar': '4 3',
  ambient: '',
  waypoint: '7 4',
};

const WIDTH = 480;
const HEIGHT = 300;
const LEFT = 56;
const RIGHT = 30;
const TOP = 34;
const BOTTOM = 44;

/** The sign of a mode in a legend. */
export function legendSign(mode: Mode): string {
  return `<svg width="30" height="12" aria-hidden="true"><line x1="1" y1="6" x2="29" y2="6" ${stroke(mode)}/><circle cx="15" cy="6" r="3.2" fill="${COLORS[mode]}"/></svg>`;
}

/** A chart as SVG, with its own fonts and colours. */
export function drawChart(chart: Chart): string {
  const x = scale(chart.x, LEFT, WIDTH - RIGHT);
  const y = scale(chart.y, HEIGHT - BOTTOM, TOP);
  const at = ([px, py]: Point): string => `${x(px).toFixed(1)},${y(py).toFixed(1)}`;
  const inside = ([px, py]: Point): boolean =>
    px <= chart.x.ticks.at(-1)! && py <= chart.y.ticks.at(-1)!;
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(chart.title)}" xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="12" fill="#343a40">`,
    `<text x="${LEFT}" y="18" font-size="14" font-weight="600">${escapeHtml(chart.title)}</text>`,
    ...chart.y.ticks.map(
      (tick) =>
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e9ecef"/><text x="${LEFT - 7}" y="${y(tick) + 4}" text-anchor="end">${tickLabel(chart.y, tick)}</text>`,
    ),
    ...chart.x.ticks.map(
      (tick) =>
        `<line x1="${x(tick)}" x2="${x(tick)}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM + 4}" stroke="#868e96"/><text x="${x(tick)}" y="${HEIGHT - BOTTOM + 17}" text-anchor="middle">${tickLabel(chart.x, tick)}</text>`,
    ),
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}" stroke="#868e96"/>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeHtml(chart.x.title)}</text>`,
    `<text transform="translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(chart.y.title)}</text>`,
    ...chart.marks.map(
      (mark) =>
        `<line x1="${x(mark.x)}" x2="${x(mark.x)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="${COLORS[mark.mode]}" stroke-dasharray="3 3"/>`,
    ),
    ...chart.marks.map(
      (mark, place) =>
        `<text x="${x(mark.x) + 5}" y="${TOP + 10 + 15 * place}" fill="${COLORS[mark.mode]}" font-weight="600" paint-order="stroke" stroke="#fff" stroke-width="4">${escapeHtml(mark.text)}</text>`,
    ),
    ...chart.series.flatMap(({ mode, line, dots }) => [
      line.length === 0
        ? ''
        : `<polyline points="${line.filter(inside).map(at).join(' ')}" fill="none" ${stroke(mode)}/>`,
      ...dots
        .filter(inside)
        .map(([px, py]) => `<circle cx="${x(px)}" cy="${y(py)}" r="3.6" fill="${COLORS[mode]}"/>`),
    ]),
    '</svg>',
  ].join('');
}

/** Round numbers from 0 to above `most`, four to six of them. */
export function ticksTo(most: number): number[] {
  const rough = most / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) =>
    Number((i * step).toFixed(6)),
  );
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function stroke(mode: Mode): string {
  const dashes = DASHES[mode] === '' ? '' : ` stroke-dasharray="${DASHES[mode]}"`;
  return `stroke="${COLORS[mode]}" stroke-width="2.2"${dashes}`;
}

function tickLabel({ label = String }: Axis, tick: number): string {
  return escapeHtml(label(tick));
}

/** From values of an axis to places between `from` and `to`. */
function scale(axis: Axis, from: number, to: number): (value: number) => number {
  const place = axis.isLogarithmic ? Math.log : (value: number) => value;
  const first = place(axis.ticks[0]!);
  const last = place(axis.ticks.at(-1)!);
  return (value) => from + ((place(value) - first) / (last - first)) * (to - from);
}
