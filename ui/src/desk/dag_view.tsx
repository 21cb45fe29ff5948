// SPDX-License-Identifier: GPL-3.0-or-later
//
// The drawing of a job. A node is a button: it narrows the table of steps to its type; a cell of a
// fan-out chooses its step.

import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { dagCells, dagLayout, type DagNode } from './dag';
import { stateWord } from './state';
import { usePhone } from './table';
import { t } from './text';
import type { Graph, Step } from './types';

const CELL = 11;

export function DagView({
  steps,
  graph,
  finished,
  chosen,
  onType,
  onStep,
  progress,
}: {
  steps: readonly Step[];
  graph: Graph;
  finished: boolean;
  chosen: string | null;
  onType: (type: string | null) => void;
  onStep: (step: string) => void;
  progress: (step: string) => number | null;
}): JSX.Element {
  const phone = usePhone();
  const live = useMemo(
    () =>
      steps.map((s) => {
        const p = s.state === 'running' ? progress(s.name) : null;
        return p === null ? s : { ...s, progress: p };
      }),
    [steps, progress],
  );
  const shape = {
    across: !phone,
    node: { width: 146, height: 50 },
    gap: { layer: phone ? 26 : 28, node: 16 },
    cell: CELL,
    most: 2,
    planned: !finished,
  };
  const dag = dagLayout(live, graph, shape);
  const pad = 4;
  return (
    <div class="dag" role="group" aria-label={t('job.dag')}>
      <svg
        width={dag.width + 2 * pad}
        height={dag.height + 2 * pad}
        viewBox={`${-pad} ${-pad} ${dag.width + 2 * pad} ${dag.height + 2 * pad}`}
      >
        {dag.edges.map((e) => (
          <path key={`${e.from.type} ${e.to.type}`} class={`edge ${e.state}`} d={e.path} />
        ))}
        {dag.nodes.map((n) => (
          <Node key={n.type} n={n} chosen={chosen === n.type} onType={onType} onStep={onStep} />
        ))}
      </svg>
    </div>
  );
}

function Node({ n, chosen, onType, onStep }: { n: DagNode; chosen: boolean; onType: (t: string | null) => void; onStep: (s: string) => void }): JSX.Element {
  const cells = n.steps.length > 1 ? dagCells(n.steps.length, n.width - 24, CELL) : null;
  const choose = (): void => onType(chosen ? null : n.type);
  const count = n.steps.length === 0 ? t('job.dag.later') : n.steps.length === 1 ? stateWord(n.state) : `${n.done} / ${n.steps.length}`;
  const inner = n.width - 24;
  return (
    <g
      class={`node ${n.state} ${chosen ? 'chosen' : ''}`}
      transform={`translate(${n.x} ${n.y})`}
      role="button"
      tabIndex={n.steps.length > 0 ? 0 : -1}
      aria-pressed={chosen}
      aria-label={t('job.dag.node', { type: n.type, state: stateWord(n.state), done: n.done, count: n.steps.length })}
      onClick={choose}
      onKeyDown={(e) => {
        if (e.key !== 'Enter' && e.key !== ' ') return;
        e.preventDefault();
        choose();
      }}
    >
      {n.steps.length > 1 && <rect class="under" x={4} y={4} width={n.width} height={n.height} rx={8} />}
      <rect class="box" width={n.width} height={n.height} rx={8} />
      <StateMark state={n.state} x={12} y={11} />
      <text x={31} y={22} class="type">
        {n.type}
      </text>
      <text x={12} y={38} class="count">
        {count}
      </text>
      {n.reused > 0 && (
        <text x={n.width - 12} y={38} class="count" text-anchor="end">
          {t('job.reused', { n: n.reused })}
        </text>
      )}
      {n.state === 'running' && (
        <>
          <rect class="track" x={12} y={43} width={inner} height={3} rx={1.5} />
          <rect class="fill" x={12} y={43} width={Math.max(2, inner * n.progress)} height={3} rx={1.5} />
        </>
      )}
      {cells &&
        Array.from({ length: Math.ceil(n.steps.length / cells.per) }, (_, i) => {
          const of = n.steps.slice(i * cells.per, (i + 1) * cells.per);
          const s = of.find((x) => x.state === 'failed') ?? of.find((x) => x.state === 'running') ?? of.find((x) => x.state === 'waiting') ?? of[0]!;
          return (
            <rect
              key={s.name}
              class={`cell ${s.state} ${s.reused ? 'reused' : ''}`}
              x={12 + (i % cells.columns) * CELL}
              y={52 + Math.floor(i / cells.columns) * CELL}
              width={CELL - 3}
              height={CELL - 3}
              rx={2}
              onClick={(e) => {
                e.stopPropagation();
                onStep(s.name);
              }}
            >
              <title>{`${s.name}: ${stateWord(s.state)}`}</title>
            </rect>
          );
        })}
    </g>
  );
}

// Shapes, so that colour is never alone: tick, triangle, cross, ring, dotted ring.
function StateMark({ state, x, y }: { state: DagNode['state']; x: number; y: number }): JSX.Element {
  const marks: Record<DagNode['state'], string> = {
    done: 'M2 7.5 5.500 11 12 3.500',
    running: 'M3.500 2v10L12 7z',
    failed: 'M3 3l8 8M11 3l-8 8',
    waiting: 'M7 2a5 5 0 1 1 0 10A5 5 0 0 1 7 2z',
    planned: 'M7 2a5 5 0 1 1 0 10A5 5 0 0 1 7 2z',
  };
  return <path class="mark" transform={`translate(${x} ${y})`} d={marks[state]} />;
}
