// SPDX-License-Identifier: GPL-3.0-or-later
//
// A job as a drawing: steps of one type are one node (a fan-out is a count and a grid of cells),
// nodes stand in columns by their longest way from the start. The job says which types wait for
// which; types that it does not name follow in the order they came.

import type { Graph, Step, StepState } from './types';

export interface DagNode {
  type: string;
  steps: Step[]; // empty: wanted later, not known yet
  state: StepState | 'planned';
  done: number;
  reused: number;
  progress: number; // 0..1 over all its steps
  layer: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface DagEdge {
  from: DagNode;
  to: DagNode;
  path: string;
  state: 'done' | 'active' | 'idle';
}

export interface Dag {
  nodes: DagNode[];
  edges: DagEdge[];
  width: number;
  height: number;
}

export interface DagShape {
  across: boolean; // layers run left to right; else downwards
  node: { width: number; height: number };
  gap: { layer: number; node: number };
  cell: number; // side and pitch of a fan-out's cell
  most?: number; // nodes side by side when layers run downwards: more wrap to a second line
  planned: boolean; // draw the graph's types that are still to come
}

export function stepsState(steps: readonly Step[]): StepState | 'planned' {
  if (steps.length === 0) return 'planned';
  if (steps.some((s) => s.state === 'failed')) return 'failed';
  if (steps.some((s) => s.state === 'running')) return 'running';
  if (steps.every((s) => s.state === 'done')) return 'done';
  return steps.some((s) => s.state === 'done') ? 'running' : 'waiting';
}

// How many cells stand in a row of a node, and how many rows: beyond `most` rows a cell stands
// for several steps, so that a node never outgrows the page.
export function dagCells(count: number, width: number, cell: number, most = 4): { columns: number; rows: number; per: number } {
  const columns = Math.max(1, Math.floor(width / cell));
  const per = Math.max(1, Math.ceil(count / (columns * most)));
  return { columns, rows: Math.max(1, Math.ceil(Math.ceil(count / per) / columns)), per };
}

// Steps of one moment are wanted together: where what waits for the same is wanted already, a type that is
// not among it will not come (a film without captions).
function mayCome(type: string, after: ReadonlyMap<string, readonly string[]>, groups: ReadonlyMap<string, unknown>): boolean {
  const own = (after.get(type) ?? []).join();
  return own === '' || ![...after].some(([other, waits]) => other !== type && groups.has(other) && waits.join() === own);
}

export function dagLayout(steps: readonly Step[], graph: Graph, shape: DagShape): Dag {
  const after = new Map(graph.map((g) => [g.type, g.after]));
  const groups = new Map<string, Step[]>();
  for (const s of steps) {
    const g = groups.get(s.type);
    if (g) g.push(s);
    else groups.set(s.type, [s]);
  }
  if (shape.planned && [...groups.keys()].some((t) => after.has(t))) for (const t of after.keys()) if (!groups.has(t) && mayCome(t, after, groups)) groups.set(t, []);
  const order = [...after.keys()];
  const types = [...groups.keys()].sort((a, b) => {
    const ia = order.indexOf(a);
    const ib = order.indexOf(b);
    return (ia < 0 ? order.length : ia) - (ib < 0 ? order.length : ib);
  });

  const feeds = (type: string): string[] => {
    const known = after.get(type);
    if (!known) {
      const at = types.indexOf(type);
      return at > 0 ? [types[at - 1]!] : [];
    }
    // A feeder that this job lacks is skipped over: its own feeders take its place.
    const out = new Set<string>();
    const visit = (t: string): void => {
      if (groups.has(t)) out.add(t);
      else for (const up of after.get(t) ?? []) visit(up);
    };
    for (const t of known) visit(t);
    // What another feeder waits for already needs no line of its own.
    for (const t of [...out]) for (const up of after.get(t) ?? []) out.delete(up);
    return [...out];
  };

  const layers = new Map<string, number>();
  const layerOf = (type: string): number => {
    const have = layers.get(type);
    if (have !== undefined) return have;
    const at = Math.max(-1, ...feeds(type).map(layerOf)) + 1;
    layers.set(type, at);
    return at;
  };
  types.forEach(layerOf);

  const nodes = new Map<string, DagNode>();
  for (const type of types) {
    const of = groups.get(type)!;
    const done = of.filter((s) => s.state === 'done').length;
    const cells = of.length > 1 ? dagCells(of.length, shape.node.width - 24, shape.cell) : null;
    nodes.set(type, {
      type,
      steps: of,
      state: stepsState(of),
      done,
      reused: of.filter((s) => s.reused).length,
      progress: of.length === 0 ? 0 : of.reduce((sum, s) => sum + (s.state === 'done' ? 1 : s.progress), 0) / of.length,
      layer: layers.get(type)!,
      x: 0,
      y: 0,
      width: shape.node.width,
      height: shape.node.height + (cells ? cells.rows * shape.cell + 6 : 0),
    });
  }

  const layered: DagNode[][] = [];
  for (const n of nodes.values()) (layered[n.layer] ??= []).push(n);
  const most = shape.across ? Infinity : (shape.most ?? Infinity);
  const columns = layered.flatMap((layer) => {
    const lines: DagNode[][] = [];
    for (let i = 0; i < layer.length; i += most) lines.push(layer.slice(i, i + most));
    return lines;
  });
  const size = (n: DagNode): number => (shape.across ? n.height : n.width);
  const thick = (n: DagNode): number => (shape.across ? n.width : n.height);
  const extents = columns.map((c) => c.reduce((sum, n) => sum + size(n), 0) + (c.length - 1) * shape.gap.node);
  const breadth = Math.max(0, ...extents);
  let along = 0;
  columns.forEach((column, i) => {
    let at = (breadth - extents[i]!) / 2;
    for (const n of column) {
      if (shape.across) [n.x, n.y] = [along, at];
      else [n.x, n.y] = [at, along];
      at += size(n) + shape.gap.node;
    }
    // One alone stands level with what it waits for: lines that pass it by stay clear of it.
    const only = column.length === 1 && shape.across ? column[0]! : null;
    const from = only ? feeds(only.type).map((type) => nodes.get(type)!) : [];
    if (only && from.length > 0) {
      const middle = from.reduce((sum, n) => sum + n.y + n.height / 2, 0) / from.length;
      only.y = Math.max(0, Math.min(breadth - only.height, middle - only.height / 2));
    }
    along += Math.max(...column.map(thick)) + shape.gap.layer;
  });
  along = Math.max(0, along - shape.gap.layer);

  const edges: DagEdge[] = [];
  for (const to of nodes.values())
    for (const up of feeds(to.type)) {
      const from = nodes.get(up)!;
      edges.push({
        from,
        to,
        path: shape.across ? curveAcross(from, to) : curveDown(from, to),
        state: from.state === 'done' ? (to.state === 'running' ? 'active' : to.state === 'done' ? 'done' : 'idle') : 'idle',
      });
    }
  return {
    nodes: [...nodes.values()],
    edges,
    width: shape.across ? along : breadth,
    height: shape.across ? breadth : along,
  };
}

function curveAcross(a: DagNode, b: DagNode): string {
  const [x1, y1, x2, y2] = [a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2];
  const m = (x1 + x2) / 2;
  return `M${x1} ${y1}C${m} ${y1} ${m} ${y2} ${x2} ${y2}`;
}

function curveDown(a: DagNode, b: DagNode): string {
  const [x1, y1, x2, y2] = [a.x + a.width / 2, a.y + a.height, b.x + b.width / 2, b.y];
  const m = (y1 + y2) / 2;
  return `M${x1} ${y1}C${x1} ${m} ${x2} ${m} ${x2} ${y2}`;
}
