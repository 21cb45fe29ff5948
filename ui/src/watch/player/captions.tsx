// SPDX-License-Identifier: GPL-3.0-or-later
import { useEffect, useState } from 'preact/hooks';
import { Button, Dialog } from '../../shared/components/base';
import type { Caption, CaptionSpan } from './engine';
import { captionChoices, usualCaptions, type CaptionStyle } from './state';
import { t } from './strings';

const LOOK_MS = 80; // a caption may be late by two frames, no more

function Span({ span }: { span: CaptionSpan }) {
  const lines = span.text.split('\n');
  const inner = lines.map((line, i) => (
    <>
      {i > 0 && <br />}
      {line}
    </>
  ));
  if (span.italic) return <i>{inner}</i>;
  return span.bold ? <b>{inner}</b> : <>{inner}</>;
}

export function CaptionView({ captions, style, raised }: { captions: Caption[]; style: CaptionStyle; raised: boolean }) {
  const box = (top: boolean) => captions.filter((caption) => caption.top === top);
  const draw = (list: Caption[], where: string) =>
    list.length > 0 && (
      <div class={`captions ${where} size-${style.size} colour-${style.colour} back-${style.back} ${raised ? 'raised' : ''}`}>
        {list.map((caption) => (
          <p key={`${caption.start}/${caption.lines[0]?.text ?? ''}`}>
            <span>
              {caption.lines.map((span) => (
                <Span span={span} />
              ))}
            </span>
          </p>
        ))}
      </div>
    );
  return (
    <>
      {draw(box(true), 'top')}
      {draw(box(false), 'bottom')}
    </>
  );
}

/** Looks often enough that captions change with the lips. */
export function LiveCaptions({ at, on, style, raised }: {
  at: () => Caption[];
  on: boolean;
  style: CaptionStyle;
  raised: boolean;
}) {
  const [captions, setCaptions] = useState<Caption[]>([]);
  useEffect(() => {
    if (!on) return setCaptions([]);
    const look = () =>
      setCaptions((before) => {
        const now = at();
        return now.length === before.length && now.every((caption, i) => caption === before[i]) ? before : now;
      });
    look();
    const ticking = setInterval(look, LOOK_MS);
    return () => clearInterval(ticking);
  }, [on, at]);
  return <CaptionView captions={captions} style={style} raised={raised} />;
}

const names = {
  size: { small: 'sizeSmall', usual: 'sizeUsual', large: 'sizeLarge', huge: 'sizeHuge' },
  colour: { white: 'colourWhite', yellow: 'colourYellow', cyan: 'colourCyan' },
  back: { shadow: 'backShadow', box: 'backBox', solid: 'backSolid' },
} as const;
const headings = { size: 'styleSize', colour: 'styleColour', back: 'styleBack' } as const;

export function CaptionStyleDialog({ style, onChange, onClose }: {
  style: CaptionStyle;
  onChange: (style: CaptionStyle) => void;
  onClose: () => void;
}) {
  const sample: Caption[] = [
    { start: 0, end: 1, top: false, lines: [{ text: t('captionSample'), italic: false, bold: false }] },
  ];
  return (
    <Dialog title={t('captionStyle')} onClose={onClose}>
      <div class="caption-sample" aria-hidden="true">
        <CaptionView captions={sample} style={style} raised={false} />
      </div>
      {(Object.keys(headings) as (keyof CaptionStyle)[]).map((part) => (
        <fieldset class="chips" key={part}>
          <legend>{t(headings[part])}</legend>
          {captionChoices[part].map((value) => (
            <label key={value}>
              <input
                type="radio"
                name={`caption-${part}`}
                checked={style[part] === value}
                onChange={() => onChange({ ...style, [part]: value })}
              />
              <span>{t((names[part] as Record<string, Parameters<typeof t>[0]>)[value]!)}</span>
            </label>
          ))}
        </fieldset>
      ))}
      <div class="foot">
        <Button kind="quiet" onClick={() => onChange(usualCaptions)}>
          {t('sizeUsual')}
        </Button>
        <Button kind="primary" onClick={onClose}>
          {t('close')}
        </Button>
      </div>
    </Dialog>
  );
}
