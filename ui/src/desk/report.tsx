// SPDX-License-Identifier: GPL-3.0-or-later
//
// The QC report: picture, findings, time line, tables; one frame, one view and one chosen finding for
// all of them. The frame stands in the address, so that "look at this" is a link.

import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Button } from '../shared/components/base';
import { Icon } from '../shared/components/icons';
import { language, rate } from '../shared/format';
import { navigate } from '../shared/router';
import { api } from './api';
import { evidenceText, placeText } from './finding_text';
import { viewReveal, viewZoom, type View } from './lanes';
import { useMayOperate } from './session';
import { kindWord, SeverityBadge } from './state';
import { Strip } from './strip';
import { t } from './text';
import { FilmClock, pictureStream, shotAt } from './time';
import type { Finding, Loudness, Report, Severity, Stream } from './types';
import { Viewer } from './viewer';
import { reopen, Waive } from './waive';

// The report says what was measured; the register says what became of it. One list of both: what
// stands in the register only (a viewer's report of a problem) comes after.
export function joinFindings(report: readonly Finding[], register: readonly Finding[]): Finding[] {
  const key = (f: Finding): string => `${f.kind} ${f.stream ?? -1} ${f.start_frame} ${f.start_pts} ${f.end_pts}`;
  const left = new Map(register.map((f) => [key(f), f]));
  const out = report.map((f) => {
    const r = left.get(key(f));
    left.delete(key(f));
    return r ? { ...f, id: r.id, state: r.state, waived_why: r.waived_why, waived_until: r.waived_until, detector: r.detector } : f;
  });
  for (const f of left.values()) if (f.state !== 'fixed') out.push(f);
  return out.sort((a, b) => (a.start_frame ?? Infinity) - (b.start_frame ?? Infinity) || (a.start_pts ?? 0) - (b.start_pts ?? 0));
}

export function ReportView({ delivery, report, register, published }: { delivery: string; report: Report; register: readonly Finding[]; published: boolean }): JSX.Element {
  const operate = useMayOperate();
  const clock = useMemo(() => new FilmClock(report), [report]);
  const findings = useMemo(() => joinFindings(report.findings, register), [report, register]);
  const [frame, setFrame] = useState(() => {
    const asked = Number(new URLSearchParams(location.search).get('frame') ?? NaN);
    const first = Number.isInteger(asked) && asked >= 0 ? asked : (report.poster_frame ?? 0);
    return Math.max(0, Math.min(clock.frames - 1, first));
  });
  const [chosen, setChosen] = useState<number | null>(null);
  const [view, setView] = useState<View>({ startUs: 0, endUs: clock.durationUs });
  const [waiving, setWaiving] = useState<readonly Finding[] | null>(null);
  const [, learnt] = useState(0);
  const touched = useRef(false);
  // Keys may come faster than renders: steps count from the place itself.
  const now = useRef(frame);

  // Where pts are no straight line, the server tells them, a page around where one looks.
  useEffect(() => {
    if (clock.exact(frame) || clock.frames === 0) return;
    const stop = new AbortController();
    const start = Math.max(0, frame - 100);
    const timer = setTimeout(() => {
      api.framePts(delivery, start, Math.min(clock.frames, start + 400), stop.signal).then(
        (r) => {
          clock.learn(r.start, r.pts);
          learnt((n) => n + 1);
        },
        () => undefined, // the number stays marked as approximate
      );
    }, 200);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [clock, frame, delivery]);

  useEffect(() => {
    if (!touched.current) return;
    const timer = setTimeout(() => {
      const q = new URLSearchParams(location.search);
      q.set('frame', String(frame));
      navigate(`${location.pathname}?${q.toString()}`, { replace: true });
    }, 350);
    return () => clearTimeout(timer);
  }, [frame]);

  const show = (n: number): void => {
    touched.current = true;
    const to = Math.max(0, Math.min(clock.frames - 1, n));
    now.current = to;
    setFrame(to);
    setView((v) => viewReveal(v, clock.us(to), clock.durationUs));
  };
  const choose = (index: number): void => {
    const f = findings[index];
    if (!f) return;
    setChosen(index);
    const at = clock.frameOf(f);
    if (at !== null) show(at);
  };
  const step = (by: 1 | -1): void => {
    const placed = findings.map((f, i) => ({ i, at: clock.frameOf(f) })).filter((x): x is { i: number; at: number } => x.at !== null);
    if (placed.length === 0) return;
    const from = chosen === null ? -1 : placed.findIndex((x) => x.i === chosen);
    if (from >= 0) return choose(placed[(from + by + placed.length) % placed.length]!.i);
    const next = by > 0 ? placed.find((x) => x.at >= frame) : placed.filter((x) => x.at <= frame).pop();
    choose((next ?? placed[by > 0 ? 0 : placed.length - 1]!).i);
  };
  const stepShot = (by: 1 | -1): void => {
    const at = shotAt(report.shots, frame);
    if (at < 0) return;
    const to = by < 0 && frame > report.shots[at]!.start_frame ? at : at + by;
    const s = report.shots[Math.max(0, Math.min(report.shots.length - 1, to))];
    if (s) show(s.start_frame);
  };

  useEffect(() => {
    const onKey = (e: KeyboardEvent): void => {
      if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey || document.querySelector('dialog[open]')) return;
      const target = e.target as HTMLElement;
      if (target.closest('input, textarea, select, [role=menu], [role=tablist]')) return;
      const second = Math.max(1, Math.round(clock.rate[0] > 0 ? clock.rate[0] / clock.rate[1] : clock.frames / (clock.durationUs / 1e6)));
      const zoom = (factor: number): void => setView((v) => viewZoom(viewReveal(v, clock.us(frame), clock.durationUs), factor, clock.us(frame), clock.durationUs));
      const acts: Record<string, () => void> = {
        ArrowLeft: () => show(now.current - (e.shiftKey ? second : 1)),
        ArrowRight: () => show(now.current + (e.shiftKey ? second : 1)),
        n: () => step(1),
        p: () => step(-1),
        '[': () => stepShot(-1),
        ']': () => stepShot(1),
        '+': () => zoom(0.5),
        '=': () => zoom(0.5),
        '-': () => zoom(2),
        '0': () => setView({ startUs: 0, endUs: clock.durationUs }),
        Home: () => show(0),
        End: () => show(clock.frames - 1),
        w: () => {
          const f = chosen === null ? undefined : findings[chosen];
          if (operate && f?.id && f.state === 'open') setWaiving([f]);
        },
      };
      const act = acts[e.key];
      if (!act) return;
      act();
      e.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });

  const streams = report.streams.length > 0 ? report.streams : (report.source?.streams ?? []);
  const open = findings.filter((f) => f.state === 'open' && f.id !== undefined && f.severity !== 'info');
  return (
    <div class="report">
      <div class="report-top">
        {clock.frames > 0 && <Viewer delivery={delivery} report={report} clock={clock} frame={frame} onFrame={show} onStep={step} />}
        <FindingList
          findings={findings}
          clock={clock}
          chosen={chosen}
          onChoose={choose}
          onWaive={operate ? (f) => setWaiving(f) : null}
          open={open}
          why={report.why ?? []}
          original={report.findings}
        />
      </div>
      {clock.frames > 0 && (
        <Strip delivery={delivery} report={report} clock={clock} findings={findings} frame={frame} chosen={chosen} view={view} onView={setView} onFrame={show} onFinding={choose} />
      )}
      <div class="tables">
        {streams.length > 0 && <Streams published={published} streams={streams} report={report} />}
        <LoudnessTable loudness={report.loudness} streams={streams} />
        {report.frames > 0 && <Measured report={report} />}
      </div>
      {waiving && <Waive findings={waiving} onClose={() => setWaiving(null)} />}
    </div>
  );
}

function FindingList({
  findings,
  clock,
  chosen,
  onChoose,
  onWaive,
  open,
  why,
  original,
}: {
  findings: readonly Finding[];
  clock: FilmClock;
  chosen: number | null;
  onChoose: (i: number) => void;
  onWaive: ((f: readonly Finding[]) => void) | null;
  open: readonly Finding[];
  why: NonNullable<Report['why']>;
  original: readonly Finding[];
}): JSX.Element {
  const [only, setOnly] = useState<Severity | null>(null);
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-current=true]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const counts = (s: Severity): number => findings.filter((f) => f.severity === s).length;
  const reasonOf = (f: Finding): string | null => {
    const at = original.findIndex((o) => o.kind === f.kind && o.stream === f.stream && o.start_pts === f.start_pts && o.start_frame === f.start_frame);
    return why.find((w) => w.finding === at)?.text ?? null;
  };
  return (
    <section class="finding-list" aria-label={t('report.findings')}>
      <header>
        <h2>{t('report.findings')}</h2>
        <div class="chips">
          {(['error', 'warning', 'info'] as const).map((s) =>
            counts(s) === 0 ? null : (
              <button key={s} type="button" class={`chip ${only === s ? 'on' : ''}`} aria-pressed={only === s} onClick={() => setOnly(only === s ? null : s)}>
                <SeverityBadge severity={s} bare /> {counts(s)}
              </button>
            ),
          )}
        </div>
        {onWaive && open.length > 1 && (
          <Button size="small" kind="quiet" onClick={() => onWaive(open)}>
            {t('waive.all', { n: open.length })}
          </Button>
        )}
      </header>
      {findings.length === 0 ? (
        <p class="clean">
          <Icon name="ok" /> {t('report.clean')}
        </p>
      ) : (
        <ol ref={list}>
          {findings.map((f, i) => {
            if (only !== null && f.severity !== only) return null;
            const at = clock.frameOf(f);
            const on = i === chosen;
            const reason = reasonOf(f);
            return (
              <li key={f.id ?? i} class={`${f.state === 'waived' ? 'waived' : ''} ${on ? 'on' : ''}`}>
                <button type="button" class="finding" aria-current={on} data-finding={f.kind} onClick={() => onChoose(i)}>
                  <SeverityBadge severity={f.severity} bare />
                  <strong>{kindWord(f.kind)}</strong>
                  <span class="num">{at === null ? '' : clock.timeCode(at)}</span>
                  <small>
                    {placeText(f)}
                    {f.state === 'waived' ? ` · ${t('report.waived', { why: f.waived_why ?? '', until: (f.waived_until ?? '').slice(0, 10) })}` : ''}
                  </small>
                </button>
                {on && (
                  <div class="more">
                    {reason && <p>{reason}</p>}
                    <p class="faint">{evidenceText(f.evidence) || t('report.no_evidence')}</p>
                    {onWaive && f.id && f.state === 'open' && (
                      <Button size="small" kind="outline" icon="flag" onClick={() => onWaive([f])}>
                        {t('waive')}
                      </Button>
                    )}
                    {onWaive && f.id && f.state === 'waived' && (
                      <Button size="small" kind="outline" icon="refresh" onClick={() => void reopen(f)}>
                        {t('reopen')}
                      </Button>
                    )}
                  </div>
                )}
              </li>
            );
          })}
        </ol>
      )}
    </section>
  );
}

const known = (s: string | null | undefined): string => (s && s !== 'unknown' ? s : '');

function streamFacts(s: Stream): string {
  const parts: string[] = [];
  if (s.kind === 'video') {
    parts.push(`${s.width}×${s.height}`);
    if (s.sar && s.sar[0] !== s.sar[1] && s.sar[0] > 0) parts.push(`SAR ${s.sar[0]}:${s.sar[1]}`);
    if (s.frame_rate && s.frame_rate[0] > 0) parts.push(t('stream.fps', { fps: String(Number((s.frame_rate[0] / s.frame_rate[1]).toFixed(3))) }));
    if (known(s.pixel_format)) parts.push(s.pixel_format!);
    if (s.rotation) parts.push(t('stream.rotated', { degrees: s.rotation }));
    const colour = [s.primaries, s.transfer, s.matrix].map(known).filter((x) => x !== '');
    if (colour.length > 0) parts.push([...new Set(colour)].join('/'));
    if (known(s.range)) parts.push(s.range!);
    if (s.hdr && s.hdr !== 'sdr') parts.push(s.hdr.toUpperCase());
    if (known(s.field_order)) parts.push(s.field_order!);
  } else if (s.kind === 'audio') {
    if (s.sample_rate) parts.push(`${s.sample_rate / 1000} kHz`);
    parts.push(known(s.layout) || t('stream.channels', { n: s.channels ?? 0 }));
  }
  return parts.join(' · ');
}

function Streams({ streams, report, published }: { streams: readonly Stream[]; report: Report; published: boolean }): JSX.Element {
  const picture = pictureStream(report);
  return (
    <section>
      <h2 class="section">{t('streams')}</h2>
      <div class="scroll-x">
        <table class="plain">
          <thead>
            <tr>
              <th class="end">#</th>
              <th>{t('stream.kind')}</th>
              <th>{t('stream.codec')}</th>
              <th>{t('stream.facts')}</th>
              <th>{t('stream.language')}</th>
              <th class="end">{t('stream.base')}</th>
            </tr>
          </thead>
          <tbody>
            {streams.map((s) => (
              <tr key={s.index}>
                <td class="end">{s.index}</td>
                <td>
                  {t(`stream.${s.kind}`)}
                  {s === picture && <span class="tag">{t(published ? 'stream.published' : 'stream.inspected')}</span>}
                </td>
                <td>
                  {s.codec} <span class="faint">{known(s.profile)}</span>
                </td>
                <td>{streamFacts(s)}</td>
                <td>
                  {language(s.language ?? '') || <span class="faint">–</span>}
                  {s.is_default && <span class="tag">{t('stream.default')}</span>}
                </td>
                <td class="end">
                  {s.time_base?.[0]}/{s.time_base?.[1]}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

// EBU R128: −23 LUFS ± 1 for programmes, true peak at most −1 dBTP.
function LoudnessTable({ loudness, streams }: { loudness: readonly Loudness[]; streams: readonly Stream[] }): JSX.Element | null {
  if (loudness.length === 0) return null;
  const db = (v: number | null): string => (v === null ? '–' : v.toFixed(1).replace('-', '−'));
  return (
    <section>
      <h2 class="section">{t('loudness')}</h2>
      <div class="scroll-x">
        <table class="plain">
          <thead>
            <tr>
              <th class="end">#</th>
              <th>{t('stream.codec')}</th>
              <th class="end">{t('loudness.integrated')}</th>
              <th class="end">{t('loudness.peak')}</th>
              <th class="end">{t('loudness.range')}</th>
              <th aria-label={t('loudness.scale')} />
            </tr>
          </thead>
          <tbody>
            {loudness.map((l) => (
              <tr key={l.stream}>
                <td class="end">{l.stream}</td>
                <td>{streams.find((s) => s.index === l.stream)?.codec ?? ''}</td>
                <td class="end">{l.integrated_lufs === null ? t('loudness.silent') : `${db(l.integrated_lufs)} LUFS`}</td>
                <td class={`end ${(l.true_peak_dbtp ?? -99) > -1 ? 'wrong' : ''}`}>{l.true_peak_dbtp === null ? '–' : `${db(l.true_peak_dbtp)} dBTP`}</td>
                <td class="end">{l.range_lu === null ? '–' : `${db(l.range_lu)} LU`}</td>
                <td>
                  {l.integrated_lufs !== null && (
                    <span class="loud-scale" title={t('loudness.target')}>
                      <i class="target" />
                      <i class="at" style={{ left: `${Math.max(0, Math.min(100, ((l.integrated_lufs + 46) / 46) * 100))}%` }} />
                    </span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Measured({ report }: { report: Report }): JSX.Element {
  const picture = pictureStream(report);
  const crop = report.crop;
  const bars = crop && picture && (crop.width !== picture.width || crop.height !== picture.height);
  const bytes = report.source?.bytes ?? report.bytes;
  const us = report.source?.duration_us ?? report.duration_us;
  const facts: [string, string][] = [
    [t('measured.container'), report.source?.container || report.container || '–'],
    [t('measured.frames'), String(report.frames)],
    [t('measured.scan'), report.scan ?? '–'],
    [t('measured.rate'), report.vfr ? t('measured.vfr') : t('measured.cfr')],
    [t('measured.crop'), bars ? `${crop.width}×${crop.height}+${crop.left}+${crop.top}` : t('measured.crop.none')],
    [t('measured.shots'), String(report.shots.length)],
  ];
  if (bytes && us) facts.push([t('measured.bitrate'), rate((bytes * 8e6) / us)]);
  return (
    <section>
      <h2 class="section">{t('measured')}</h2>
      <dl class="facts">
        {facts.map(([k, v]) => (
          <div key={k}>
            <dt>{k}</dt>
            <dd class="num">{v}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

