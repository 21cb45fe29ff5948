// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the API promises operators, over what it promises everybody (shared/api.ts). Fields that a
// release may lack are optional; pages say "unknown" then, they never break.

import type { Detail, Plan as EveryonesPlan, User as EveryonesUser } from '../shared/api';

export type { Card, Role, Session } from '../shared/api';

export type Title = Detail;
export type Rational = readonly [number, number];
export type Severity = 'info' | 'warning' | 'error';
export type Verdict = 'accept' | 'review' | 'refuse';

export interface User extends EveryonesUser {
  partner?: string | null;
  plan?: string;
  created?: string;
}

export interface Delivery {
  id: string;
  title_id: string | null;
  title: string | null;
  file_name: string;
  bytes: number;
  hash?: string | null;
  state: string; // received, inspected, published, refused, review, failed
  verdict: Verdict | null;
  partner: string | null; // id
  partner_name?: string | null;
  job_id: string | null;
  received: string;
  finished?: string | null;
  waits_behind?: number | null; // jobs before its own; null: it does not wait
  package?: string | null;
  requests?: Request[];
  answers?: string | null;
  error?: string | null;
}

export interface Finding {
  id?: string;
  subject?: string;
  kind: string;
  severity: Severity;
  stream: number | null;
  start_frame: number | null;
  end_frame: number | null;
  start_pts: number | null;
  end_pts: number | null;
  time_base: Rational;
  evidence: Record<string, unknown>;
  detector?: string;
  owner?: string | null;
  state?: 'open' | 'waived' | 'fixed' | 'superseded';
  subject_name?: string | null; // of a title
  waived_until?: string | null;
  waived_why?: string | null;
  seen_first?: string;
  seen_last?: string;
}

export interface Stream {
  index: number;
  kind: 'video' | 'audio' | 'text' | 'other';
  codec: string;
  profile?: string;
  language?: string;
  title?: string;
  is_default?: boolean;
  is_attached_picture?: boolean;
  time_base: Rational;
  start_pts?: number | null;
  duration_pts?: number | null;
  width?: number;
  height?: number;
  sar?: Rational;
  rotation?: number;
  pixel_format?: string;
  bit_depth?: number;
  primaries?: string;
  transfer?: string;
  matrix?: string;
  range?: string;
  field_order?: string;
  frame_rate?: Rational;
  hdr?: string;
  sample_rate?: number;
  channels?: number;
  layout?: string;
}

export interface Loudness {
  stream: number;
  integrated_lufs: number | null;
  true_peak_dbtp: number | null;
  range_lu: number | null;
}

export interface Report {
  schema?: number;
  verdict: Verdict;
  // One for each finding that is not simply accepted.
  why?: { finding: number; verdict: Verdict; rule: number | null; waived: { why: string; until: string } | null; text: string }[] | null;
  frames: number;
  scan?: string;
  vfr?: boolean;
  start_pts?: number;
  end_pts?: number;
  container?: string;
  bytes?: number;
  duration_us?: number;
  source?: { container?: string; duration_us?: number; bytes?: number; streams?: Stream[] };
  streams: Stream[];
  findings: Finding[];
  loudness: Loudness[];
  shots: { start_frame: number; end_frame: number }[];
  crop?: { left: number; top: number; width: number; height: number };
  series?: {
    luma?: number[];
    motion?: number[];
    step_frames?: number;
    audio?: { stream: number; peaks: number[]; step_us: number }[];
  } | null;
  poster_frame?: number;
  stills?: { every_us: number; count: number; width: number; height: number } | null;
}

export interface Request {
  id: string;
  delivery_id: string;
  title_id: string | null;
  title?: string | null;
  file_name?: string | null;
  partner: string | null; // id
  partner_name?: string | null;
  state: string; // open, answered, closed (the answer was published)
  created: string;
  thumbnails?: { finding: number; frame: number; url: string }[];
  findings?: Finding[];
  answered_by?: string | null;
  asked?: 'mailed' | 'mail_waits' | 'no_address' | 'no_partner';
}

export type JobState = 'running' | 'done' | 'failed' | 'cancelled';
export type StepState = 'waiting' | 'running' | 'done' | 'failed';

export interface Step {
  name: string;
  type: string;
  state: StepState;
  reused: boolean;
  attempts: number;
  progress: number;
  remaining_us?: number | null;
  cpu_us: number | null;
  wall_us: number | null;
  max_rss_bytes: number | null;
  error: string | null;
  log: boolean;
}

export interface Job {
  id: string;
  workflow: string;
  subject: string;
  state: JobState;
  progress: number;
  remaining_us: number | null;
  error: string | null;
  result: unknown;
  created: string;
  finished: string | null;
  worked_us?: number | null; // while at least one of its steps ran
  waits_behind?: number | null;
  params: Record<string, unknown> | null;
  steps?: Step[];
  graph?: Graph;
}

/** Which types of steps wait for which, in the order of the work. */
export type Graph = readonly { type: string; after: readonly string[] }[];

export interface Progress {
  job: string;
  step?: string | null;
  step_type?: string | null;
  done_ppm: number;
  remaining_us: number | null;
}

export interface Partner {
  id: string;
  name: string;
  email?: string | null;
}

export interface Plan extends EveryonesPlan {
  id: string;
  name: string;
}

export interface DashboardHead {
  id: string;
  title: string;
  about: string | null;
  graphs: number;
  error: string | null; // what is wrong with its file
}

export interface Dashboard extends DashboardHead {
  rows: { title: string; graphs: { title: string; q: string; unit: string | null; stack: boolean }[] }[];
}

export interface Alert {
  id: string;
  rule: string;
  tags: Record<string, string>;
  state: string;
  severity: string;
  summary: string;
  value: number | null;
  since: string;
  fired: string | null;
  resolved: string | null;
  acknowledged_by: string | null;
  acknowledged_by_name?: string;
  silenced: boolean;
}

export interface PlotPoint {
  server: string;
  state: 'peer' | 'outlier' | 'suspect';
  at: number[]; // spreads from the peers, an axis each
  values: (number | null)[]; // in the metric's unit
}

export interface PeersPlot {
  server: string;
  method: string;
  servers: number;
  judged: number;
  eps: number;
  min_points: number;
  axes: { metric: string; statistic: string; peers: number; spread: number; ratio: boolean }[];
  points: PlotPoint[];
}

export interface RelatedSignal {
  name: string | Record<string, string>;
  relation: 'moved' | 'born' | 'died';
  score: number;
  pearson: number;
  spearman: number;
  lag: number; // ms that it was earlier
  changed: number;
  before: number | null;
  after: number | null;
  step: number | null; // in spreads of its noise
  start: number;
  end: number;
  values: (number | null)[];
  part?: string | null; // of the call graph
  share?: number | null;
}

export interface Found {
  changed: number;
  start: number;
  end: number;
  step: number;
  target: { values: (number | null)[] };
  candidates: number;
  more?: boolean;
  related: RelatedSignal[];
  calls?: { target: string; parts: { part: string; own: number; whole: number; share: number }[] } | null;
}

export interface Related {
  found: Found | null;
  why: string | null;
}

export interface Evidence {
  outlier_in?: number;
  of?: number;
  metrics?: { metric: string; value: number; peers: number; away: number }[];
}

export interface Treatment {
  id: string;
  cluster: string;
  server: string;
  action: string;
  state: string;
  guard: string | null;
  why: string | null; // in words, of the guard
  step: string | null;
  dry_run?: boolean;
  approved_by: string | null;
  approved_by_name?: string;
  error: string | null;
  suspicion: { rule?: string; score?: number; since?: string; members?: number; reporting?: number; evidence: Evidence };
  forensics: unknown;
  created: string;
  began: string | null;
  ended: string | null;
}

// A program that an event started.
export interface Run {
  id: string;
  runbook: string;
  target: string;
  subject: string;
  state: string;
  status: string | null;
  summary: string | null;
  error: string | null;
  attempts: number;
  created: string;
}

export interface RunWhole extends Run {
  tries: { attempt: number; outcome: string; reason?: string | null; stdout?: string; stderr?: string }[]; // texts of the last
}

export interface AuditEntry {
  seq: number;
  time: string;
  actor: string;
  actor_name?: string; // of a person
  what: string;
  subject: string;
  rule: string | null;
  window: unknown;
  parameters: unknown;
  data: unknown;
}

export interface AuditVerdict {
  whole: boolean;
  entries: number;
  broken: number | null;
  why: string | null;
  head: string;
}
