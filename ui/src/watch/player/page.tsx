// SPDX-License-Identifier: GPL-3.0-or-later
// A play, from asking for it to leaving it: one engine on one video, controls that fade, keys, heartbeats.
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ApiError, plays, type Play } from '../../shared/api';
import { ErrorNote, IconButton, LinkButton } from '../../shared/components/base';
import { clearToasts, toast } from '../../shared/components/toasts';
import { language, US } from '../../shared/format';
import { back, navigate, type Place } from '../../shared/router';
import { forgetKept, useAfter, useTitle } from '../../shared/use';
import { episodeMark } from '../facts';
import { LiveCaptions, CaptionStyleDialog } from './captions';
import { Controls, type Commands } from './controls';
import { Engine, noTracks, type Tracks } from './engine';
import { openPlay } from './opening';
import { KeysDialog, NextCard, ProblemDialog, StatisticsPanel, TheEnd } from './panels';
import './player.css';
import { fillPhone, leaveFullscreen, toggleFullscreen, useFullscreen } from './screen';
import { actionOf, guessRate, Heart, nextUp, readCaptionStyle, seekTarget, speedBy, startAt, type CaptionStyle } from './state';
import { t } from './strings';
import { useVideo } from './video';

export interface PlayerPageProps {
  id: string;
  place: Place;
}

const IDLE_MS = 3000;

/** What this browser remembers of a viewer's ways; a private window that refuses to is no error. */
const remembered = {
  get: (name: string): string | null => {
    try {
      return localStorage.getItem(`marquee.${name}`);
    } catch {
      return null;
    }
  },
  set: (name: string, value: string): void => {
    try {
      localStorage.setItem(`marquee.${name}`, value);
    } catch {
      // it is asked again next time
    }
  },
};

type Panel = 'statistics' | 'keys' | 'problem' | 'captionStyle' | null;

export function PlayerPage({ id, place }: PlayerPageProps) {
  const [video, setVideo] = useState<HTMLVideoElement | null>(null);
  const engine = useRef<Engine | null>(null);
  const heart = useRef<Heart | null>(null);
  const [play, setPlay] = useState<Play | null>(null);
  const [tracks, setTracks] = useState<Tracks>(noTracks);
  const [fault, setError] = useState<unknown>(null);
  const [starved, setStarved] = useState<ApiError | null>(null);
  const error = fault ?? starved;
  const [round, setRound] = useState(0);
  const [panel, setPanel] = useState<Panel>(null);
  const [problemAt, setProblemAt] = useState(0);
  const [declined, setDeclined] = useState(false);
  const [style, setStyle] = useState<CaptionStyle>(() => readCaptionStyle(remembered.get('captionStyle')));
  const state = useVideo(video);
  const full = useFullscreen();
  const goOnFrom = useRef<number | null>(null); // after an error, seconds
  const renewed = useRef(false);
  const duration = state.duration || (play ? play.duration_us / US : 0);
  const title = play?.title ?? null;
  useTitle(title ? `${title.name} · Marquee` : 'Marquee');

  // --- the play itself ---

  useEffect(() => {
    if (!video) return;
    const stop = new AbortController();
    let mine: Play | null = null;
    let ended = false;
    setError(null);
    setStarved(null);
    const machine = new Engine(video, {
      onTracks: setTracks,
      onCaptions: () => {},
      onFatal: (fault) => fail(fault),
      onStarved: setStarved,
    });
    engine.current = machine;
    const fail = (fault: unknown) => {
      if (stop.signal.aborted) return;
      if (video.currentTime > 0) goOnFrom.current = video.currentTime;
      // A permission that ran out during a long pause is asked for anew, once, without a word.
      if (fault instanceof ApiError && fault.code === 'grant_expired' && !renewed.current) {
        renewed.current = true;
        setRound((n) => n + 1);
      } else {
        video.pause(); // no film plays on beneath a message
        setError(fault);
      }
    };
    const beatState = () => ({
      position_us: Math.round((video.ended ? video.duration : video.currentTime) * US),
      state: video.ended ? ('ended' as const) : video.paused ? ('paused' as const) : video.readyState < 3 ? ('buffering' as const) : ('playing' as const),
    });
    const onVisible = () => {
      if (document.visibilityState === 'hidden') heart.current?.beat(true);
    };
    const onBeat = () => heart.current?.beat();
    const onLeave = () => leave();
    const leave = () => {
      if (!mine || ended) return;
      ended = true;
      heart.current?.beat(true);
      void plays.end(mine.id, { keepalive: true }).catch(() => {});
    };
    void (async () => {
      try {
        mine = await openPlay(id, { signal: stop.signal });
        if (stop.signal.aborted) return leave();
        setPlay(mine);
        const from = goOnFrom.current ?? startAt(mine.position_us, mine.duration_us, place.query.get('from'));
        await machine.load(mine, from, remembered.get('captions') || null, guessRate(remembered.get('rate')));
        if (stop.signal.aborted) return;
        const key = mine.id;
        heart.current = new Heart(Math.max(2, mine.heartbeat_s || 10) * 1000, beatState, (leaving) => {
          const { position_us, state: now } = beatState();
          if (!Number.isFinite(position_us)) return;
          const qoe = machine.qoe();
          if (qoe.bandwidth_bps) remembered.set('rate', String(qoe.bandwidth_bps));
          void plays.beat(key, { position_us, state: now, qoe }, leaving ? { keepalive: true } : {}).catch((reason: unknown) => {
            // The server may have been told by another screen that this play is over.
            if (reason instanceof ApiError && (reason.status === 404 || reason.status === 409)) fail(reason);
          });
        });
        heart.current.start();
        for (const name of ['pause', 'seeked', 'ended', 'playing']) video.addEventListener(name, onBeat);
        video.volume = Math.min(1, Math.max(0, Number(remembered.get('volume') ?? 1) || 0));
        video.muted = remembered.get('muted') === '1';
        await video.play().catch(() => {}); // not without a gesture: the play button waits
      } catch (fault) {
        fail(fault);
      }
    })();
    document.addEventListener('visibilitychange', onVisible);
    window.addEventListener('pagehide', onLeave);
    return () => {
      leave();
      stop.abort();
      document.removeEventListener('visibilitychange', onVisible);
      window.removeEventListener('pagehide', onLeave);
      for (const name of ['pause', 'seeked', 'ended', 'playing']) video.removeEventListener(name, onBeat);
      heart.current?.stop();
      heart.current = null;
      engine.current = null;
      void machine.close();
      forgetKept(); // home and title pages show places in films
    };
  }, [video, id, round]);

  useEffect(() => {
    fillPhone();
    clearToasts();
    document.documentElement.classList.add('in-player');
    return () => {
      document.documentElement.classList.remove('in-player');
      // The next episode's player takes this one's place, and its screen.
      setTimeout(() => {
        if (!location.pathname.startsWith('/play/')) leaveFullscreen();
      });
    };
  }, []);

  useEffect(() => {
    if (!title || !('mediaSession' in navigator)) return;
    navigator.mediaSession.metadata = new MediaMetadata({
      title: title.name,
      artwork: title.poster ? [{ src: title.poster.url, sizes: `${title.poster.width}x${title.poster.height}` }] : [],
    });
  }, [title?.id]);

  // --- controls come and go ---

  const [idle, setIdle] = useState(false);
  const [held, setHeld] = useState(false); // a menu is open, or the seek bar is dragged
  const idleTimer = useRef(0);
  const wake = useCallback(() => {
    setIdle(false);
    clearTimeout(idleTimer.current);
    idleTimer.current = window.setTimeout(() => setIdle(true), IDLE_MS);
  }, []);
  useEffect(() => {
    wake();
    return () => clearTimeout(idleTimer.current);
  }, [state.paused]);
  const shown = !idle || state.paused || state.ended || held || panel !== null || error !== null || !state.started;

  // --- what can be done ---

  const [say, setSay] = useState('');
  // The element's own rate is 0 while the library waits for data.
  const [speed, setSpeed] = useState(1);
  const wantedSpeed = useRef(1);

  const commands: Commands = useMemo(() => {
    const seekTo = (seconds: number) => {
      if (!video) return;
      video.currentTime = seekTarget(seconds, video.duration);
      setDeclined(false);
    };
    return {
      toggle: () => {
        if (!video) return;
        if (video.ended) {
          setDeclined(true);
          video.currentTime = 0;
        }
        if (video.paused) void video.play().catch(() => {});
        else video.pause();
      },
      seekTo,
      seekBy: (seconds) => video && seekTo(video.currentTime + seconds),
      scrub: setHeld,
      mute: () => {
        if (!video) return;
        if (video.volume === 0) video.volume = 0.5;
        video.muted = !video.muted;
        remembered.set('muted', video.muted ? '1' : '0');
      },
      volume: (value) => {
        if (!video) return;
        video.volume = Math.min(1, Math.max(0, value));
        video.muted = video.volume === 0;
        remembered.set('volume', String(video.volume));
        remembered.set('muted', video.muted ? '1' : '0');
      },
      fullscreen: () => toggleFullscreen(video),
      speed: (value) => {
        wantedSpeed.current = value;
        setSpeed(value);
        if (video) video.playbackRate = value;
      },
      quality: (key) => engine.current?.chooseQuality(key),
      audio: (key) => engine.current?.chooseAudio(key),
      captions: (key) => engine.current?.chooseCaptions(key),
      captionStyle: () => setPanel('captionStyle'),
      statistics: () => setPanel((before) => (before === 'statistics' ? null : 'statistics')),
      report: () => {
        setProblemAt(video?.currentTime ?? 0);
        video?.pause();
        setPanel('problem');
      },
      keys: () => setPanel('keys'),
      next: () => {},
      menu: setHeld,
    };
  }, [video]);
  const goNext = useCallback(() => {
    if (play?.next) navigate(`/play/${encodeURIComponent(play.next.id)}`, { replace: true });
  }, [play]);
  commands.next = goNext;

  const captionsActive = tracks.captions.find((one) => one.active) ?? null;
  useEffect(() => {
    if (tracks.captions.length > 0 && state.started) remembered.set('captions', captionsActive?.language ?? '');
  }, [captionsActive?.language]);

  const leave = () => back(title ? `/title/${encodeURIComponent(title.series_id ?? title.id)}` : '/');

  const latest = useRef({ tracks, panel });
  latest.current = { tracks, panel };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.closest('dialog, [role="menu"], textarea, input[type="text"]')) return;
      const action = actionOf(event);
      wake();
      if (!action || !video) return;
      // A focused button keeps its own keys; a range its arrows.
      if (event.key === ' ' && target.closest('button, a')) return;
      if (event.key.startsWith('Arrow') && target.closest('input')) return;
      event.preventDefault();
      switch (action.do) {
        case 'toggle':
          commands.toggle();
          break;
        case 'seekBy':
          commands.seekBy(action.seconds);
          break;
        case 'seekTo':
          commands.seekTo(action.ratio * video.duration);
          break;
        case 'volumeBy':
          commands.volume(Math.round((video.volume + action.steps * 0.1) * 10) / 10);
          setSay(`${t('volume')} ${Math.round(video.volume * 100)} %`);
          break;
        case 'speedBy':
          commands.speed(speedBy(wantedSpeed.current, action.steps));
          setSay(t('speedNow', { n: wantedSpeed.current }));
          break;
        case 'fullscreen':
          commands.fullscreen();
          break;
        case 'mute':
          commands.mute();
          setSay(video.muted ? t('mute') : t('unmute'));
          break;
        case 'captions': {
          const { captions } = latest.current.tracks;
          const on = captions.some((one) => one.active);
          const wanted = captions.find((one) => one.language === remembered.get('captionsLast')) ?? captions[0];
          if (on) remembered.set('captionsLast', captions.find((one) => one.active)!.language);
          commands.captions(on ? null : (wanted?.key ?? null));
          setSay(captions.length === 0 ? t('captionsNone') : on ? `${t('captions')}: ${t('captionsOff')}` : t('captionsOn', { name: wanted!.label || language(wanted!.language) || wanted!.language }));
          break;
        }
        case 'statistics':
          commands.statistics();
          break;
        case 'next':
          commands.next();
          break;
        case 'help':
          commands.keys();
          break;
        case 'close':
          if (latest.current.panel) setPanel(null);
          else if (!document.fullscreenElement) leave();
          break;
      }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [video, commands, play]);
  useEffect(() => {
    if (say === '') return;
    const timer = setTimeout(() => setSay(''), 1200);
    return () => clearTimeout(timer);
  }, [say]);

  // --- the end ---

  const coming = play?.next ? nextUp(state.time, duration, state.ended, declined) : { show: false as const };
  useEffect(() => {
    if (state.ended && play?.next && !declined && panel === null) goNext();
  }, [state.ended, panel]);

  // --- taps: on a screen that is touched the first tap shows the controls, two at a side jump ---

  const lastTap = useRef({ at: 0, x: 0 });
  const onTap = (event: PointerEvent) => {
    if (event.target !== event.currentTarget && event.target !== video) return;
    if (event.pointerType === 'mouse') {
      if (event.button === 0) commands.toggle();
      return;
    }
    const now = Date.now();
    const twice = now - lastTap.current.at < 300 && Math.abs(event.clientX - lastTap.current.x) < 80;
    lastTap.current = { at: twice ? 0 : now, x: event.clientX };
    if (twice) {
      commands.seekBy(event.clientX < innerWidth / 2 ? -10 : 10);
      return wake();
    }
    if (shown && !state.paused) setIdle(true);
    else wake();
  };

  const tryAgain = () => {
    if (video && video.currentTime > 0) goOnFrom.current = video.currentTime;
    setRound((n) => n + 1);
  };
  const statisticsOf = useCallback(() => engine.current!.statistics(), []);
  const placeOf = useCallback(() => video?.currentTime ?? 0, [video]);
  const captionsAt = useCallback(() => engine.current?.captionsAt(video?.currentTime ?? 0) ?? [], [video]);
  const slow = useAfter(!state.started && error === null, 300);
  const stalled = useAfter(state.started && (state.waiting || state.seeking), 300);
  const ended = state.ended && !(play?.next && !declined);
  return (
    <main
      id="content"
      class={`player ${shown ? 'awake' : 'asleep'} ${ended ? 'over' : ''}`}
      aria-label={title ? `${t('player')}: ${title.name}` : t('player')}
      onPointerMove={(event) => event.pointerType === 'mouse' && wake()}
      onFocusIn={wake}
    >
      <video ref={setVideo} class="picture" playsInline preload="auto" aria-label={title?.name} tabIndex={-1} />
      {!state.started && title?.poster && <img class="player-poster" src={title.poster.url} alt="" />}
      <div
        class="touch"
        onPointerUp={onTap}
        // Else the click that follows a tap would press the button that the tap has just brought up.
        onTouchEnd={(event) => event.preventDefault()}
        onDblClick={commands.fullscreen}
      />
      <LiveCaptions at={captionsAt} on={captionsActive !== null} style={style} raised={shown} />
      <p class="visually-hidden" role="status">
        {slow || stalled ? t('loading') : say}
      </p>
      {say && <p class="said" aria-hidden="true">{say}</p>}
      <div class="upper">
        <IconButton icon="arrowLeft" label={t('back')} onClick={leave} />
        {title && (
          <h1>
            {title.name}
            {episodeMark(title) && <span class="quiet-text">{episodeMark(title)}</span>}
          </h1>
        )}
        <IconButton icon="flag" label={t('report')} class="push-right" onClick={commands.report} />
      </div>
      {error === null && (
        <Controls play={play} video={state} speed={speed} duration={duration} tracks={tracks} full={full} commands={commands} />
      )}
      {panel === 'statistics' && engine.current && (
        <StatisticsPanel look={statisticsOf} place={placeOf} play={play?.id ?? ''} onClose={() => setPanel(null)} />
      )}
      {coming.show && !state.ended && play?.next && (
        <NextCard next={play.next} seconds={coming.seconds} onPlay={goNext} onStay={() => setDeclined(true)} />
      )}
      {ended && title && error === null && (
        <TheEnd title={title} next={play?.next ?? null} onReplay={commands.toggle} onNext={goNext} />
      )}
      {error !== null && (
        <div class="player-error">
          <ErrorNote error={error} retry={tryAgain} retryLabel={t('tryAgain')} />
          <LinkButton href={`/title/${encodeURIComponent(title?.series_id ?? id)}`} kind="quiet" icon="arrowLeft">
            {t('toTitle')}
          </LinkButton>
        </div>
      )}
      {panel === 'keys' && <KeysDialog onClose={() => setPanel(null)} />}
      {panel === 'captionStyle' && (
        <CaptionStyleDialog
          style={style}
          onChange={(next) => {
            setStyle(next);
            remembered.set('captionStyle', JSON.stringify(next));
          }}
          onClose={() => setPanel(null)}
        />
      )}
      {panel === 'problem' && play && (
        <ProblemDialog
          name={play.title.name}
          seconds={problemAt}
          onClose={() => setPanel(null)}
          onSend={async (text) => {
            await plays.problem(play.id, { position_us: Math.round(problemAt * US), text });
            setPanel(null);
            toast(t('reportThanks'));
            void video?.play().catch(() => {});
          }}
        />
      )}
    </main>
  );
}
