// SPDX-License-Identifier: GPL-3.0-or-later
//
// A chart of lines by uPlot. All charts of a page share their crosshair; dragging across one chooses a time range.

import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { dateTime } from '../../shared/format';
import { short, type Answer } from './answer';

// Told apart by eyes of every kind: Okabe and Ito's colours, then lighter ones of the same.
const COLORS = ['#56b4e9', '#e69f00', '#009e73', '#cc79a7', '#f0e442', '#d55e00', '#8c9eff', '#9ad0f5', '#f5cf7f', '#7fd1b8', '#e6bcd3', '#eaaf7f'];
export const colorOf = (index: number): string => COLORS[index % COLORS.length]!;

export interface ChartProps {
  answer: Answer;
  stacked?: boolean;
  height?: number;
  label: string; // for who does not see it
  unit?: string;
  start: number; // ms: the range that was asked for, whatever came
  end: number;
  lit?: number | null; // the line that is pointed at in the table
  onRange?: (start: number, end: number) => void;
  marks?: readonly { at: number; text: string; tone: 'error' | 'info' | 'ok' }[];
}

type Column = (number | null)[];

// Each line upon those before it; a gap adds nothing and stays a gap of its own.
export function stack(lines: readonly (readonly (number | null)[])[]): Column[] {
  const base: number[] = [];
  return lines.map((values) =>
    values.map((v, i) => {
      if (v === null) return null;
      base[i] = (base[i] ?? 0) + v;
      return base[i]!;
    }),
  );
}

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsOf(p: ChartProps, width: number, select: (u: uPlot) => void): uPlot.Options {
  const axis = { stroke: css('--text-2'), grid: { stroke: css('--line'), width: 1 }, ticks: { stroke: css('--line'), width: 1 }, font: `11px ${css('--font')}` };
  const stacked = p.stacked === true;
  return {
    width,
    height: p.height ?? 240,
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'signals' }, drag: { x: p.onRange !== undefined, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { time: true, range: [p.start / 1000, p.end / 1000] }, y: { range: (_u, low, high) => spread(low, high) } },
    axes: [{ ...axis, space: 64, size: 36, values: (_u, ticks) => ticks.map((s, i) => clockText(s, i === 0 ? null : ticks[i - 1]!)) }, { ...axis, size: 62, values: (_u, ticks) => ticks.map((v) => short(v, p.unit)) }],
    // Drawn from the top of the stack downwards, so that each stands before what is above it.
    series: [{}, ...order(p.answer.lines.length, stacked).map((i) => ({
      label: p.answer.lines[i]!.label,
      stroke: colorOf(i),
      width: p.lit === i ? 2.5 : 1.25,
      alpha: p.lit === null || p.lit === undefined || p.lit === i ? 1 : 0.25,
      ...(stacked ? { fill: `${colorOf(i)}cc` } : {}),
      spanGaps: false,
      points: { show: true, size: 4, fill: colorOf(i), filter: (u: uPlot, series: number) => alone(u.data[series]!) },
    }))],
    hooks: { setSelect: [select], draw: [(u) => drawMarks(u, p.marks ?? [])] },
  };
}

// A value between two gaps is no line: it is drawn as a point.
function alone(values: ArrayLike<number | null | undefined>): number[] {
  const is = (i: number): boolean => typeof values[i] === 'number';
  return Array.from(values, (_, i) => i).filter((i) => is(i) && !is(i - 1) && !is(i + 1));
}

// "14:05", with its day where that is another than before.
export function clockText(at: number, before: number | null): string {
  const d = new Date(at * 1000);
  const text = d.toTimeString().slice(0, d.getSeconds() === 0 ? 5 : 8);
  const isNewDay = before !== null && new Date(before * 1000).toDateString() !== d.toDateString();
  return isNewDay ? `${text}\n${d.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })}` : text;
}

const order = (count: number, stacked: boolean): number[] => {
  const all = Array.from({ length: count }, (_, i) => i);
  return stacked ? all.reverse() : all;
};

// With 0 in sight where values lie near it, and room for a level line.
function spread(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const from = low > 0 && low < high * 0.6 ? 0 : low;
  if (from === high) return [from === 0 ? 0 : from - Math.abs(from) / 2, high + Math.max(Math.abs(high) / 2, 0.5)];
  const room = (high - from) * 0.06;
  return [from === 0 ? 0 : from - room, high + room];
}

function drawMarks(u: uPlot, marks: NonNullable<ChartProps['marks']>): void {
  for (const m of marks) {
    const x = Math.round(u.valToPos(m.at / 1000, 'x', true)) + 0.5;
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    u.ctx.save();
    u.ctx.strokeStyle = u.ctx.fillStyle = css(`--${m.tone}`);
    u.ctx.setLineDash([4, 3]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, u.bbox.top);
    u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
    u.ctx.restore();
  }
}

export function dataOf(answer: Answer, stacked: boolean): uPlot.AlignedData {
  const lines = stacked ? stack(answer.lines.map((l) => l.values)) : answer.lines.map((l) => [...l.values]);
  return [[...answer.times], ...order(lines.length, stacked).map((i) => lines[i]!)];
}

export function Chart(p: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const range = useRef(p.onRange);
  range.current = p.onRange;
  const [at, setAt] = useState<number | null>(null);
  const names = p.answer.lines.map((l) => l.label).join('\n');

  useLayoutEffect(() => {
    const host = box.current!;
    const select = (u: uPlot): void => {
      if (u.select.width < 4) return;
      const from = u.posToVal(u.select.left, 'x') * 1000;
      const to = u.posToVal(u.select.left + u.select.width, 'x') * 1000;
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      range.current?.(from, to);
    };
    const options = optionsOf(p, host.clientWidth, select);
    options.hooks!.setCursor = [(u) => setAt(u.cursor.idx ?? null)];
    const u = new uPlot(options, dataOf(p.answer, p.stacked === true), host);
    plot.current = u;
    const resized = new ResizeObserver(() => u.setSize({ width: host.clientWidth, height: p.height ?? 240 }));
    resized.observe(host);
    return () => {
      resized.disconnect();
      u.destroy();
      plot.current = null;
    };
    // What changes the drawing itself makes it anew; new values only replace the old.
  }, [names, p.stacked, p.height, p.start, p.end, p.lit, p.unit]);
  useEffect(() => {
    plot.current?.setData(dataOf(p.answer, p.stacked === true), true);
  }, [p.answer]);

  const read = at !== null && p.answer.times[at] !== undefined;
  return (
    <figure class="chart">
      <div ref={box} role="img" aria-label={p.label} style={{ minHeight: `${p.height ?? 240}px` }} />
      <figcaption class="num" aria-live="off">
        {read && (
          <>
            <time>{dateTime(p.answer.times[at!]! * 1000)}</time>
            {p.answer.lines.slice(0, 6).map((l, i) => (
              <span key={l.label}>
                <i style={{ background: colorOf(i) }} /> {short(l.values[at!] ?? null, p.unit)}
              </span>
            ))}
          </>
        )}
      </figcaption>
    </figure>
  );
}
