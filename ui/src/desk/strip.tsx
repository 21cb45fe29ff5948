// SPDX-License-Identifier: GPL-3.0-or-later
//
// The QC time line: pictures, findings, shots, brightness, motion and sound on one axis with one
// crosshair. Click is that frame, drag zooms (on a touch screen it scrubs), the wheel moves and
// zooms; the small bar above shows the whole film and where one is.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { IconButton } from '../shared/components/base';
import { api } from './api';
import { columns, placeSpans, stripTiles, ticks, usToX, viewClamp, viewReveal, viewZoom, xToUs, VIEW_MIN_US, type Span, type View } from './lanes';
import { kindWord, SeverityBadge } from './state';
import { t } from './text';
import { clockText, type FilmClock } from './time';
import type { Finding, Loudness, Report } from './types';

export interface StripProps {
  delivery: string;
  report: Report;
  clock: FilmClock;
  findings: readonly Finding[];
  frame: number;
  chosen: number | null; // index of a finding
  view: View;
  onView: (v: View) => void;
  onFrame: (frame: number) => void;
  onFinding: (index: number) => void;
}

const FINDING_LANES = 3;
const TILE_HEIGHT = 58;

function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, set] = useState(0);
  useLayoutEffect(() => {
    const el = ref.current;
    if (!el) return;
    const ro = new ResizeObserver(() => set(el.clientWidth));
    ro.observe(el);
    set(el.clientWidth);
    return () => ro.disconnect();
  }, []);
  return [ref, width];
}

// Brightness is 0..255 (or its share of 1); peaks are thousandths of full scale, over it where the true
// peak is.
const lumaTop = (values: readonly (number | null)[]): number => (values.some((v) => v !== null && v > 1) ? 255 : 1);
const PEAK_TOP = 1000;

export function Strip(props: StripProps): JSX.Element {
  const { report, clock, view, frame } = props;
  const duration = clock.durationUs;
  const [plot, width] = useWidth();
  const [hover, setHover] = useState<number | null>(null); // x
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const pointer = useRef<{ id: number; x: number; touch: boolean; moved: boolean } | null>(null);

  const stills = report.stills ?? null;
  const aspect = stills && stills.height > 0 ? stills.width / stills.height : 16 / 9;
  const tile = Math.round(TILE_HEIGHT * aspect);
  const tiles = useMemo(
    () => (stills ? stripTiles(view, width, tile, stills.every_us, stills.count) : []),
    [view, width, stills, tile],
  );
  const spans = useMemo<Span[]>(() => {
    const out: Span[] = [];
    props.findings.forEach((f, index) => {
      const s = clock.span(f);
      if (s) out.push({ ...s, index, severity: f.severity, kind: f.kind, quiet: f.state === 'waived' || f.state === 'fixed' });
    });
    return out;
  }, [props.findings, clock]);
  const placed = useMemo(() => placeSpans(spans, view, width, FINDING_LANES), [spans, view, width]);
  const overview = useMemo(() => placeSpans(spans.filter((s) => s.endUs - s.startUs < duration * 0.95), { startUs: 0, endUs: duration }, width, 1, 1, 2), [spans, width, duration]);
  const marks = ticks(view, width);
  const playX = usToX(clock.us(frame), view, width);
  const nextX = usToX(clock.us(Math.min(frame + 1, clock.frames)), view, width);

  const local = (e: { clientX: number }): number => e.clientX - plot.current!.getBoundingClientRect().left;
  const frameAtX = (x: number): number => clock.frameAt(Math.max(0, Math.min(duration - 1, xToUs(x, view, width))));

  // The wheel must be able to say no to the page's own scrolling: not passive, so not by a prop.
  useEffect(() => {
    const el = plot.current;
    if (!el) return;
    const onWheel = (e: WheelEvent): void => {
      const horizontal = Math.abs(e.deltaX) > Math.abs(e.deltaY);
      if (!e.ctrlKey && !e.metaKey && !e.shiftKey && !horizontal) return; // plain wheel scrolls the page
      e.preventDefault();
      const span = view.endUs - view.startUs;
      if (e.ctrlKey || e.metaKey) props.onView(viewZoom(view, Math.exp(e.deltaY * 0.004), xToUs(local(e), view, width), duration));
      else {
        const by = ((horizontal ? e.deltaX : e.deltaY) / Math.max(1, width)) * span;
        props.onView(viewClamp({ startUs: view.startUs + by, endUs: view.endUs + by }, duration));
      }
    };
    el.addEventListener('wheel', onWheel, { passive: false });
    return () => el.removeEventListener('wheel', onWheel);
  }, [view, width, duration]);

  const onDown = (e: JSX.TargetedPointerEvent<HTMLDivElement>): void => {
    if (e.button !== 0 || (e.target as HTMLElement).closest('button')) return;
    const x = local(e);
    pointer.current = { id: e.pointerId, x, touch: e.pointerType === 'touch', moved: false };
    e.currentTarget.setPointerCapture(e.pointerId);
  };
  const onMove = (e: JSX.TargetedPointerEvent<HTMLDivElement>): void => {
    const x = local(e);
    setHover(x);
    const p = pointer.current;
    if (!p || p.id !== e.pointerId) return;
    if (Math.abs(x - p.x) > 4) p.moved = true;
    if (!p.moved) return;
    if (p.touch) props.onFrame(frameAtX(x));
    else setDrag({ from: p.x, to: x });
  };
  const onUp = (e: JSX.TargetedPointerEvent<HTMLDivElement>): void => {
    const p = pointer.current;
    pointer.current = null;
    setDrag(null);
    if (!p || p.id !== e.pointerId) return;
    const x = local(e);
    if (p.moved && !p.touch) {
      const [a, b] = [Math.min(p.x, x), Math.max(p.x, x)];
      const from = xToUs(a, view, width);
      const to = xToUs(b, view, width);
      props.onView(viewClamp({ startUs: from, endUs: Math.max(to, from + Math.min(VIEW_MIN_US, duration)) }, duration));
    } else if (!p.moved) props.onFrame(frameAtX(x));
  };

  const hoverFrame = hover === null || width === 0 ? null : frameAtX(hover);
  const series = report.series ?? null;
  const stepFrames = Math.max(1, series?.step_frames ?? 1);
  const atFrame = (i: number): number => clock.us(Math.min(clock.frames, i * stepFrames));

  const zoomed = view.endUs - view.startUs < duration * 0.999;
  return (
    <section class="strip" aria-label={t('strip')}>
      <header class="strip-bar">
        <Overview view={view} duration={duration} blocks={overview} width={width} onView={props.onView} playUs={clock.us(frame)} />
        <div class="zoom">
          <IconButton icon="minus" label={t('strip.out')} disabled={!zoomed} onClick={() => props.onView(viewZoom(view, 2, clock.us(frame), duration))} />
          <IconButton icon="plus" label={t('strip.in')} onClick={() => props.onView(viewZoom(viewReveal(view, clock.us(frame), duration), 0.5, clock.us(frame), duration))} />
          <IconButton icon="fullscreen" label={t('strip.fit')} disabled={!zoomed} onClick={() => props.onView({ startUs: 0, endUs: duration })} />
        </div>
      </header>
      <div class="lanes">
        <div
          class="plot"
          ref={plot}
          onPointerDown={onDown}
          onPointerMove={onMove}
          onPointerUp={onUp}
          onPointerCancel={() => {
            pointer.current = null;
            setDrag(null);
          }}
          onPointerLeave={() => setHover(null)}
          onDblClick={() => props.onView({ startUs: 0, endUs: duration })}
        >
          <div class="lane ruler" aria-hidden="true">
            {marks.map((m) => (
              <span key={m.us} style={{ transform: `translateX(${m.x}px)` }}>
                {shortClock(m.us, view)}
              </span>
            ))}
          </div>
          <Lane label={t('lane.pictures')} class="pictures" height={TILE_HEIGHT}>
            {tiles.map((x) => (
              <img
                key={`${Math.round(x.x)} ${x.still}`}
                src={api.stillUrl(props.delivery, x.still)}
                alt=""
                draggable={false}
                width={tile}
                height={TILE_HEIGHT}
                style={{ transform: `translateX(${x.x}px)`, width: `${tile}px` }}
                onError={(e) => (e.currentTarget.hidden = true)}
              />
            ))}
          </Lane>
          <Lane label={spans.length === 0 ? t('lane.findings') : ''} class="spans" height={FINDING_LANES * 18 + 6}>
            {spans.length === 0 && <p class="none">{t('lane.findings.none')}</p>}
            {placed.map((b) => {
              const f = props.findings[b.indices[0]!]!;
              const on = props.chosen !== null && b.indices.includes(props.chosen);
              const many = b.indices.length > 1 ? ` × ${b.indices.length}` : '';
              return (
                <button
                  key={`${b.indices[0]} ${b.kind}`}
                  type="button"
                  tabIndex={-1}
                  class={`span ${b.severity} ${b.quiet ? 'quiet' : ''} ${on ? 'on' : ''}`}
                  style={{ left: `${b.x}px`, width: `${b.width}px`, top: `${3 + b.lane * 18}px` }}
                  title={`${kindWord(b.kind)}${many} · ${clock.timeCode(clock.frameOf(f) ?? 0)}`}
                  aria-label={`${kindWord(b.kind)}${many}`}
                  onClick={() => props.onFinding(b.indices[0]!)}
                >
                  {b.width > 17 && <SeverityBadge severity={b.severity} bare />}
                  {b.width > 52 && (
                    <span>
                      {kindWord(b.kind)}
                      {many}
                    </span>
                  )}
                </button>
              );
            })}
          </Lane>
          <Lane label={t('lane.shots', { n: report.shots.length })} height={14}>
            <Plot width={width} height={14} draw={(g, w, h) => drawShots(g, w, h, report, clock, view)} deps={[report, view]} />
          </Lane>
          {series?.luma && series.luma.length > 0 && (
            <Lane label={t('lane.luma')} height={44}>
              <Plot width={width} height={44} draw={(g, w, h, c) => drawLine(g, w, h, columns(series.luma!, atFrame, view, w), lumaTop(series.luma!), c.luma)} deps={[series, view]} />
            </Lane>
          )}
          {series?.motion && series.motion.length > 0 && (
            <Lane label={t('lane.motion')} height={32}>
              <Plot width={width} height={32} draw={(g, w, h, c) => drawLine(g, w, h, columns(series.motion!, atFrame, view, w), Math.max(...series.motion!.map((x) => x ?? 0), 1e-9), c.motion)} deps={[series, view]} />
            </Lane>
          )}
          {(series?.audio ?? []).map((a) => (
            <Lane key={a.stream} label={soundLabel(a.stream, report.loudness)} height={56}>
              <Plot
                width={width}
                height={56}
                draw={(g, w, h, c) => drawWave(g, w, h, columns(a.peaks, (i) => i * a.step_us, view, w), PEAK_TOP, c)}
                deps={[series, view]}
              />
            </Lane>
          ))}
          <div class="cursor play" style={{ transform: `translateX(${playX}px)`, width: `${Math.max(1.5, nextX - playX)}px` }} hidden={playX < -1 || playX > width + 1} />
          {hover !== null && !drag && <div class="cursor cross" style={{ transform: `translateX(${hover}px)` }} />}
          {drag && <div class="cursor sweep" style={{ transform: `translateX(${Math.min(drag.from, drag.to)}px)`, width: `${Math.abs(drag.to - drag.from)}px` }} />}
          {hoverFrame !== null && hover !== null && !drag && (
            <output class={`tip ${hover > width - 170 ? 'left' : ''}`} style={{ transform: `translateX(${hover}px)` }}>
              {clock.timeCode(hoverFrame)} <b>{t('place.frame', { frame: hoverFrame })}</b>
            </output>
          )}
        </div>
      </div>
    </section>
  );
}

function shortClock(us: number, view: View): string {
  const text = clockText(us);
  const span = view.endUs - view.startUs;
  const body = us < 3_600_000_000 ? text.slice(3) : text;
  return span < 12_000_000 ? body.slice(0, -1) : body.slice(0, -4);
}

function soundLabel(stream: number, loudness: readonly Loudness[]): string {
  const l = loudness.find((x) => x.stream === stream);
  return l && l.integrated_lufs !== null
    ? t('lane.sound.lufs', { stream, lufs: l.integrated_lufs.toFixed(1), peak: l.true_peak_dbtp?.toFixed(1) ?? '–' })
    : t('lane.sound', { stream });
}

function Lane({ label, height, class: extra = '', children }: { label: string; height: number; class?: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class={`lane ${extra}`} style={{ height: `${height}px` }}>
      {label !== '' && <span class="lane-label">{label}</span>}
      {children}
    </div>
  );
}

function Overview({ view, duration, blocks, width, onView, playUs }: { view: View; duration: number; blocks: ReturnType<typeof placeSpans>; width: number; onView: (v: View) => void; playUs: number }): JSX.Element {
  const ref = useRef<HTMLDivElement>(null);
  const span = view.endUs - view.startUs;
  const move = (e: PointerEvent): void => {
    const box = ref.current!.getBoundingClientRect();
    const us = ((e.clientX - box.left) / Math.max(1, box.width)) * duration;
    onView(viewClamp({ startUs: us - span / 2, endUs: us + span / 2 }, duration));
  };
  const share = (us: number): string => `${(us / duration) * 100}%`;
  return (
    <div
      ref={ref}
      class="overview"
      aria-hidden="true"
      onPointerDown={(e) => {
        e.currentTarget.setPointerCapture(e.pointerId);
        move(e);
      }}
      onPointerMove={(e) => {
        if (e.currentTarget.hasPointerCapture(e.pointerId)) move(e);
      }}
    >
      {blocks.map((b) => (
        <i key={`${b.kind} ${b.indices[0]}`} class={`${b.severity} ${b.quiet ? 'quiet' : ''}`} style={{ left: `${(b.x / Math.max(1, width)) * 100}%`, width: `${(b.width / Math.max(1, width)) * 100}%` }} />
      ))}
      <b style={{ left: share(view.startUs), width: share(span) }} />
      <u style={{ left: share(playUs) }} />
    </div>
  );
}

interface Colours {
  luma: string;
  motion: string;
  wave: string;
  loud: string;
  line: string;
}

function coloursOf(el: Element): Colours {
  const s = getComputedStyle(el);
  const v = (name: string): string => s.getPropertyValue(name).trim();
  return { luma: v('--text-2'), motion: v('--info'), wave: v('--ok'), loud: v('--error'), line: v('--line') };
}

// A canvas as sharp as the screen, drawn again when its size, its data or the theme changes.
function Plot({ width, height, draw, deps }: { width: number; height: number; draw: (g: CanvasRenderingContext2D, w: number, h: number, c: Colours) => void; deps: readonly unknown[] }): JSX.Element {
  const ref = useRef<HTMLCanvasElement>(null);
  const [theme, turn] = useState(0);
  useEffect(() => {
    const m = matchMedia('(prefers-color-scheme: light)');
    const on = (): void => turn((n) => n + 1);
    m.addEventListener('change', on);
    return () => m.removeEventListener('change', on);
  }, []);
  useLayoutEffect(() => {
    const el = ref.current;
    if (!el || width === 0) return;
    const ratio = devicePixelRatio || 1;
    el.width = Math.round(width * ratio);
    el.height = Math.round(height * ratio);
    const g = el.getContext('2d');
    if (!g) return;
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    draw(g, Math.floor(width), height, coloursOf(el));
  }, [width, height, theme, ...deps]);
  return <canvas ref={ref} aria-hidden="true" style={{ width: `${width}px`, height: `${height}px` }} />;
}

function drawShots(g: CanvasRenderingContext2D, w: number, h: number, report: Report, clock: FilmClock, view: View): void {
  const c = getComputedStyle(g.canvas);
  const [a, b] = [c.getPropertyValue('--surface-3'), c.getPropertyValue('--line-strong')];
  report.shots.forEach((s, i) => {
    const x = usToX(clock.us(s.start_frame), view, w);
    const end = usToX(clock.us(s.end_frame), view, w);
    if (end < 0 || x > w) return;
    g.fillStyle = i % 2 === 0 ? a : b;
    g.globalAlpha = i % 2 === 0 ? 1 : 0.45;
    g.fillRect(x, 2, Math.max(0.5, end - x - 1), h - 4);
  });
  g.globalAlpha = 1;
}

function drawLine(g: CanvasRenderingContext2D, w: number, h: number, s: { low: Float32Array; high: Float32Array }, top: number, colour: string): void {
  const y = (v: number): number => h - 2 - (Math.min(v, top) / top) * (h - 5);
  g.fillStyle = colour;
  g.globalAlpha = 0.18;
  for (let x = 0; x < w; x += 1) if (!Number.isNaN(s.high[x]!)) g.fillRect(x, y(s.high[x]!), 1, h - y(s.high[x]!));
  g.globalAlpha = 1;
  g.strokeStyle = colour;
  g.lineWidth = 1.25;
  g.beginPath();
  let pen = false;
  for (let x = 0; x < w; x += 1) {
    const [low, high] = [s.low[x]!, s.high[x]!];
    if (Number.isNaN(high)) {
      pen = false; // a gap is a gap
      continue;
    }
    if (pen) g.lineTo(x + 0.5, y(high));
    else g.moveTo(x + 0.5, y(high));
    if (low !== high) g.lineTo(x + 0.5, y(low));
    pen = true;
  }
  g.stroke();
}

function drawWave(g: CanvasRenderingContext2D, w: number, h: number, s: { low: Float32Array; high: Float32Array }, top: number, c: Colours): void {
  const mid = h / 2;
  g.fillStyle = c.line;
  g.fillRect(0, mid - 0.5, w, 1);
  for (let x = 0; x < w; x += 1) {
    const v = s.high[x]!;
    if (Number.isNaN(v)) continue;
    const r = Math.min(1, v / top);
    // What touches full scale is told apart: that is where clipping lives.
    g.fillStyle = r > 0.985 ? c.loud : c.wave;
    const half = Math.max(0.5, r * (mid - 2));
    g.fillRect(x, mid - half, 1, half * 2);
  }
}
