// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { dagCells, dagLayout, stepsState, type DagShape } from './dag';
import type { Graph, Step, StepState } from './types';

const step = (name: string, type: string, state: StepState = 'done', more: Partial<Step> = {}): Step => ({
  name, type, state, reused: false, attempts: 1, progress: state === 'done' ? 1 : 0, cpu_us: 0, wall_us: 0, max_rss_bytes: 0, error: null, log: false, ...more,
});
const shape: DagShape = { across: true, node: { width: 140, height: 50 }, gap: { layer: 40, node: 16 }, cell: 11, planned: true };
const graph: Graph = [
  { type: 'probe', after: [] },
  { type: 'inspect.range', after: ['probe'] },
  { type: 'inspect.audio', after: ['probe'] },
  { type: 'inspect.merge', after: ['inspect.range', 'inspect.audio'] },
  { type: 'plan', after: ['inspect.merge'] },
  { type: 'encode.video', after: ['plan'] },
  { type: 'encode.audio', after: ['plan'] },
  { type: 'assemble', after: ['encode.video'] },
  { type: 'package', after: ['assemble', 'encode.video', 'encode.audio'] },
];
const many = (n: number, type: string, state: StepState = 'done'): Step[] => Array.from({ length: n }, (_, i) => step(`${type}/${i}`, type, state));

describe('layout', () => {
  const steps = [step('probe', 'probe'), ...many(4, 'inspect.range'), step('a', 'inspect.audio'), step('m', 'inspect.merge'), step('p', 'plan'), ...many(60, 'encode.video', 'running')];

  it('puts what waits to the right of what it waits for', () => {
    const dag = dagLayout(steps, graph, shape);
    for (const e of dag.edges) expect(e.from.x + e.from.width).toBeLessThan(e.to.x);
    const down = dagLayout(steps, graph, { ...shape, across: false });
    for (const e of down.edges) expect(e.from.y + e.from.height).toBeLessThan(e.to.y);
  });

  it('lets no two nodes cover each other and stays within its size', () => {
    for (const [across, most] of [[true, 2], [false, 9], [false, 2]] as const) {
      const dag = dagLayout(steps, graph, { ...shape, across, most });
      dag.nodes.forEach((a, i) => {
        expect(a.x).toBeGreaterThanOrEqual(0);
        expect(a.y).toBeGreaterThanOrEqual(0);
        expect(a.x + a.width).toBeLessThanOrEqual(dag.width + 0.01);
        expect(a.y + a.height).toBeLessThanOrEqual(dag.height + 0.01);
        for (const b of dag.nodes.slice(i + 1)) {
          const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
          expect(apart, `${a.type} ${b.type}`).toBe(true);
        }
      });
    }
  });

  it('is one node a type, whatever the fan-out, with counts', () => {
    const dag = dagLayout(steps, graph, shape);
    const video = dag.nodes.find((n) => n.type === 'encode.video')!;
    expect([video.steps.length, video.done, video.state]).toEqual([60, 0, 'running']);
    expect(video.height).toBeGreaterThan(shape.node.height);
  });

  it('draws what is still to come, only while it may come', () => {
    const early = [step('probe', 'probe', 'running')];
    expect(dagLayout(early, graph, shape).nodes.map((n) => n.type)).toContain('package');
    expect(dagLayout(early, graph, { ...shape, planned: false }).nodes).toHaveLength(1);
  });

  it('bridges types that a film does not have', () => {
    const dag = dagLayout([step('probe', 'probe'), step('m', 'inspect.merge')], graph, { ...shape, planned: false });
    expect(dag.edges.map((e) => [e.from.type, e.to.type])).toEqual([['probe', 'inspect.merge']]);
  });

  it('draws no line that another one implies', () => {
    const dag = dagLayout([step('p', 'plan'), step('e', 'encode.video'), step('a', 'assemble'), step('k', 'package')], graph, { ...shape, planned: false });
    expect(dag.edges.map((e) => `${e.from.type} ${e.to.type}`)).toEqual(['plan encode.video', 'encode.video assemble', 'assemble package']);
  });

  it('chains unknown types in the order they came', () => {
    const dag = dagLayout([step('a', 'scan'), step('b', 'sort'), step('c', 'send')], graph, shape);
    expect(dag.nodes.map((n) => n.layer)).toEqual([0, 1, 2]);
    expect(dag.edges).toHaveLength(2);
  });

  it('fits a phone', () => {
    const dag = dagLayout(steps, graph, { ...shape, across: false, most: 2 });
    expect(dag.width).toBeLessThanOrEqual(2 * shape.node.width + shape.gap.node);
    for (const e of dag.edges) expect(e.from.y + e.from.height).toBeLessThan(e.to.y);
  });

  it('is empty for a job without steps', () => {
    expect(dagLayout([], graph, shape)).toEqual({ nodes: [], edges: [], width: 0, height: 0 });
  });
});

it('says the state of many by the one that matters', () => {
  expect(stepsState([])).toBe('planned');
  expect(stepsState([step('a', 't'), step('b', 't', 'failed'), step('c', 't', 'running')])).toBe('failed');
  expect(stepsState([step('a', 't'), step('b', 't', 'waiting')])).toBe('running');
  expect(stepsState([step('a', 't', 'waiting')])).toBe('waiting');
  expect(stepsState([step('a', 't')])).toBe('done');
});

it('lets a cell stand for several steps rather than outgrow the page', () => {
  for (const n of [1, 10, 41, 400, 5000]) {
    const c = dagCells(n, 116, 11);
    expect(c.rows).toBeLessThanOrEqual(4);
    expect(c.columns * c.rows * c.per).toBeGreaterThanOrEqual(n);
  }
});
