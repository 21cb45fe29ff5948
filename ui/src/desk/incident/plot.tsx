// SPDX-License-Identifier: GPL-3.0-or-later
//
// A suspect among its peers, as they were when it was suspected: a point a server, in the peers' own spreads. Far points stay
// in sight because distances are drawn by asinh: even near the middle, by powers of ten outside.

import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { short } from '../signals/answer';
import { t, type TextKey } from '../text';
import type { PeersPlot, PlotPoint } from '../types';

const MARGIN = { left: 46, right: 14, top: 12, bottom: 44 };
const TICKS = [-1000, -300, -100, -30, -10, -3, 0, 3, 10, 30, 100, 300, 1000];
const BAND = 3;
const SHOWN_ROWS = 100;

export const scaled = (v: number): number => Math.asinh(v / 3);
export const distance = (p: PlotPoint): number => Math.hypot(...p.at);

/** The farthest first: who is looked for. */
export const byDistance = (points: readonly PlotPoint[]): PlotPoint[] => [...points].sort((a, b) => distance(b) - distance(a) || a.server.localeCompare(b.server));

function useWidth(): [(host: HTMLDivElement | null) => void, number] {
  const [host, setHost] = useState<HTMLDivElement | null>(null);
  const [width, setWidth] = useState(640);
  useLayoutEffect(() => {
    if (!host) return;
    const look = new ResizeObserver(() => setWidth(host.clientWidth));
    look.observe(host);
    setWidth(host.clientWidth);
    return () => look.disconnect();
  }, [host]);
  return [setHost, Math.max(260, width)];
}

type Kind = 'own' | PlotPoint['state'];
const kindOf = (p: PlotPoint, own: string): Kind => (p.server === own ? 'own' : p.state);

// A shape and a colour each, so that neither is needed alone.
export function Mark({ kind, x, y, size = 5 }: { kind: Kind; x: number; y: number; size?: number }): JSX.Element {
  const s = kind === 'own' ? size + 3 : kind === 'peer' ? size - 1.5 : size + 1;
  if (kind === 'peer') return <circle class="peer" cx={x} cy={y} r={s} />;
  if (kind === 'outlier') return <path class="outlier" d={`M${x} ${y - s} L${x + s} ${y + s * 0.8} L${x - s} ${y + s * 0.8} Z`} />;
  return <path class={kind} d={`M${x} ${y - s} L${x + s} ${y} L${x} ${y + s} L${x - s} ${y} Z`} />;
}

function Legend({ kinds }: { kinds: readonly Kind[] }): JSX.Element {
  return (
    <ul class="plot-legend">
      {kinds.map((k) => (
        <li key={k}>
          <svg width="18" height="18" aria-hidden="true">
            <Mark kind={k} x={9} y={9} />
          </svg>
          {t(`plot.${k}` as TextKey)}
        </li>
      ))}
    </ul>
  );
}

const axisName = (a: PeersPlot['axes'][number]): string => t('plot.axis', { metric: a.metric, statistic: t(`statistic.${a.statistic}` as TextKey) });
const spreads = (v: number | null): string => (v === null ? '–' : `${v > 0 ? '+' : ''}${v.toFixed(1)}`);

function pointText(p: PlotPoint, plot: PeersPlot): string {
  const values = plot.axes.map((a, i) => t('plot.reads', { metric: a.metric, value: short(p.values[i] ?? null), peers: short(a.peers), away: spreads(p.at[i] ?? null) }));
  return `${p.server}, ${t(`plot.${kindOf(p, plot.server)}` as TextKey)}: ${values.join('; ')}`;
}

export function ClusterPlot({ plot }: { plot: PeersPlot }): JSX.Element {
  const [host, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const area = useRef<SVGSVGElement>(null);
  const points = useMemo(() => byDistance(plot.points), [plot]);
  const flat = plot.axes.length < 2;
  const height = flat ? 150 : Math.min(420, Math.max(280, width * 0.62));
  const reach = useMemo(() => scaled(Math.max(6, ...plot.points.flatMap((p) => p.at.map(Math.abs))) * 1.25), [plot]);
  const inner = { w: width - MARGIN.left - MARGIN.right, h: height - MARGIN.top - MARGIN.bottom };
  const x = (v: number): number => MARGIN.left + ((scaled(v) + reach) / (2 * reach)) * inner.w;
  const y = (v: number): number => MARGIN.top + (1 - (scaled(v) + reach) / (2 * reach)) * inner.h;
  const place = (p: PlotPoint): [number, number] => [x(p.at[0] ?? 0), flat ? MARGIN.top + inner.h / 2 : y(p.at[1] ?? 0)];
  const ticks = TICKS.filter((v) => Math.abs(scaled(v)) < reach);
  const sparse = (v: number): boolean => width >= 520 || Math.abs(v) !== 3;
  const lit = at === null ? null : (points[at] ?? null);
  const own = points.find((p) => p.server === plot.server);
  const kinds = (['own', 'suspect', 'outlier', 'peer'] as const).filter((k) => points.some((p) => kindOf(p, plot.server) === k));

  const near = (e: PointerEvent): void => {
    const box = area.current!.getBoundingClientRect();
    const [px, py] = [e.clientX - box.left, e.clientY - box.top];
    let best = -1;
    let least = 26 ** 2;
    points.forEach((p, i) => {
      const [cx, cy] = place(p);
      const d = (cx - px) ** 2 + (cy - py) ** 2;
      if (d < least) [least, best] = [d, i];
    });
    setAt(best < 0 ? null : best);
  };
  const keys = (e: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (e.key === 'Home') setAt(0);
    else if (e.key === 'End') setAt(points.length - 1);
    else if (e.key === 'Escape') setAt(null);
    else if (step) setAt(at === null ? 0 : Math.min(points.length - 1, Math.max(0, at + step)));
    else return;
    e.preventDefault();
  };

  return (
    <figure class="cluster-plot">
      <Legend kinds={kinds} />
      <div ref={host} class="plot-box">
        <svg
          ref={area}
          width={width}
          height={height}
          tabIndex={0}
          role="application"
          aria-roledescription={t('plot.role')}
          aria-label={t('plot.label', { n: plot.points.length, server: plot.server, metrics: plot.axes.map((a) => a.metric).join(', ') })}
          onPointerMove={near}
          onPointerDown={near}
          onPointerLeave={() => setAt(null)}
          onKeyDown={keys}
          onBlur={() => setAt(null)}
        >
          <rect class="band" x={x(-BAND)} width={x(BAND) - x(-BAND)} y={flat ? MARGIN.top : y(BAND)} height={flat ? inner.h : y(-BAND) - y(BAND)} rx="4" />
          {ticks.map((v) => (
            <g key={v}>
              <line class={v === 0 ? 'middle' : ''} x1={x(v)} x2={x(v)} y1={MARGIN.top} y2={MARGIN.top + inner.h} />
              {sparse(v) && (
                <text x={x(v)} y={height - MARGIN.bottom + 15} text-anchor="middle">
                  {v}
                </text>
              )}
              {!flat && (
                <>
                  <line class={v === 0 ? 'middle' : ''} y1={y(v)} y2={y(v)} x1={MARGIN.left} x2={width - MARGIN.right} />
                  <text x={MARGIN.left - 6} y={y(v) + 4} text-anchor="end">
                    {v}
                  </text>
                </>
              )}
            </g>
          ))}
          <text class="axis" x={MARGIN.left + inner.w / 2} y={height - 8} text-anchor="middle">
            {axisName(plot.axes[0]!)} →
          </text>
          {!flat && (
            <text class="axis" transform={`translate(11 ${MARGIN.top + inner.h / 2}) rotate(-90)`} text-anchor="middle">
              {axisName(plot.axes[1]!)} →
            </text>
          )}
          {[...points].reverse().map((p) => {
            const [cx, cy] = place(p);
            return <Mark key={p.server} kind={kindOf(p, plot.server)} x={cx} y={cy} />;
          })}
          {own && <OwnName at={place(own)} name={own.server} width={width} />}
          {lit && <circle class="lit" cx={place(lit)[0]} cy={place(lit)[1]} r="11" />}
        </svg>
      </div>
      <p class="plot-reads" aria-live="polite">
        {lit ? pointText(lit, plot) : <span class="faint">{t('plot.hint')}</span>}
      </p>
      <figcaption class="faint">
        {plot.points.length < plot.judged ? t('plot.some', { n: plot.points.length, all: plot.judged }) : t('plot.all', { n: plot.judged })}
        {plot.servers > plot.judged && ` ${t('plot.unjudged', { n: plot.servers - plot.judged })}`} {t('plot.scale', { method: plot.method, eps: short(plot.eps), min: plot.min_points })}
      </figcaption>
      <PlotTable plot={plot} points={points} />
    </figure>
  );
}

// Beside its point, on the side that has room.
function OwnName({ at, name, width }: { at: [number, number]; name: string; width: number }): JSX.Element {
  const left = at[0] + 24 + name.length * 8 > width;
  return (
    <text class="own-name" x={at[0] + (left ? -14 : 14)} y={at[1] + 4} text-anchor={left ? 'end' : 'start'}>
      {name}
    </text>
  );
}

function PlotTable({ plot, points }: { plot: PeersPlot; points: readonly PlotPoint[] }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details class="plot-table" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{t('plot.table')}</summary>
      {open && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('plot.table')}>
          <table class="lines">
            <thead>
              <tr>
                <th scope="col">{t('plot.server')}</th>
                <th scope="col">{t('plot.state')}</th>
                {plot.axes.map((a) => (
                  <th key={a.metric} scope="col" class="end">
                    {t('plot.column', { metric: a.metric })}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {points.slice(0, SHOWN_ROWS).map((p) => (
                <tr key={p.server}>
                  <th scope="row">{p.server}</th>
                  <td>{t(`plot.${kindOf(p, plot.server)}` as TextKey)}</td>
                  {plot.axes.map((a, i) => (
                    <td key={a.metric} class="end num">
                      {`${short(p.values[i] ?? null)} (${spreads(p.at[i] ?? null)})`}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          {points.length > SHOWN_ROWS && <p class="faint">{t('plot.rows', { n: SHOWN_ROWS, all: points.length })}</p>}
        </div>
      )}
    </details>
  );
}
