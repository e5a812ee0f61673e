/** What users do. */
export interface Scenario {
  /** Seconds between two tasks, at least and at most. */
  readonly wait: readonly [number, number];
  /** What a user does once, before all tasks; when it fails, the user tries again after a wait. */
  readonly start?: (user: User) => unknown;
  /** By name: how often, as a weight, and what. */
  readonly tasks: Readonly<Record<string, readonly [weight: number, task: (user: User) => unknown]>>;
}

/** A user, with cookies of its own. Redirects are not followed: they are answers. */
export interface User {
  /** 1, 2, 3 … */
  readonly id: number;
  /** For whatever the tasks of one user want to remember. */
  readonly memory: Record<string, unknown>;
  get(path: string, how?: How): Promise<Answer>;
  post(path: string, how?: How): Promise<Answer>;
  request(method: string, path: string, how?: How): Promise<Answer>;
}

export interface How {
  /** The status, or one of several, that it has to be answered with; else: anything below 400. */
  readonly expect?: number | readonly number[];
  /** Sent as a form would be. */
  readonly form?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Under which name it is counted; else the method and the path, without its query. */
  readonly name?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  json(): unknown;
}

/** @internal The rest of a sentence that begins with the scenario's name. */
export function faultIn(scenario: unknown): string | undefined;
