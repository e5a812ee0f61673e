/** What was measured, and what follows from it. Times are milliseconds unless named otherwise; shares are of one core. */

export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
}

export interface Facts {
  readonly seconds: number;
  readonly requests: number;
  /** Failed requests, and tasks that threw. */
  readonly errors: number;
  readonly latency: Latency;
  /** Most requests under way at once. */
  readonly inFlightPeak: number;
  /** This tool itself: where it is too busy, its figures are too high. */
  readonly tester: { readonly cpuShare: number; readonly lagP99Ms: number };
  readonly redis?: RedisFacts;
  readonly pools: readonly PoolFacts[];
  readonly app?: AppFacts;
}

export interface RedisFacts {
  readonly name: string;
  readonly maxClients?: number;
  /** Connections that were open before. */
  readonly before: number;
  readonly peak: number;
  readonly newConnections: number;
  readonly commands: number;
  readonly cpuShare: number;
  readonly replyP99Ms: number;
}

export interface AppFacts {
  readonly cpuShare: number;
  readonly lagP99Ms?: number;
}

export interface PoolFacts {
  readonly name: string;
  /** Of a pool of a cluster: the node that this is about. `maxActive` is a bound of each node. */
  readonly node?: string;
  readonly maxActive: number;
  readonly leases: number;
  readonly holdSeconds: number;
  /** Acquires that had to queue, and how long in all. */
  readonly waits: number;
  readonly waitSeconds: number;
  readonly waitP99Ms: number;
  /** Closed because more would have been idle than `maxIdle`. */
  readonly excess: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly peak: {
    readonly inUse: number;
    readonly open: number;
    readonly lanes: number;
    readonly waiting: number;
  };
}

export interface Thresholds {
  readonly maxP99?: number;
  readonly maxErrors?: { readonly count: number } | { readonly share: number };
  readonly maxNewConnectionsPerRequest?: number;
  /** How many processes of the service are to run. */
  readonly processes?: number;
}

export interface Verdict {
  /** What it is about. */
  readonly about: 'maxActive' | 'maxclients' | 'bottleneck' | 'tester' | 'threshold' | 'run';
  /** `act`: something is to be done. */
  readonly says: 'good' | 'act' | 'unknown';
  readonly text: string;
}

export interface Judgement {
  readonly verdicts: readonly Verdict[];
  /** What makes the tool end with 1: thresholds that were broken, and what makes the figures worthless. */
  readonly broken: readonly string[];
}

export function judge(facts: Facts, thresholds: Thresholds): Judgement;
