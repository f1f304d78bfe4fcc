/** One thing that differs, and how it is made the same. No field ever holds a secret. */
export interface Change {
  subject: string;
  what: string;
  why: string;
  before?: string | undefined;
  after?: string | undefined;
  /** May be done again, also after it was cut off in the middle. */
  make(): Promise<void>;
}

/** What has to be settled by a person before anything is changed. */
export interface Blocker {
  subject: string;
  detail: string;
  advice: string;
}

export interface Plan {
  changes: readonly Change[];
  blockers: readonly Blocker[];
  /** What a person would want to know besides. */
  notes: readonly string[];
}
