/** One thing that is not as it should be, and what to do about it. */
export interface Finding {
  check: string;
  subject: string;
  detail: string;
  advice: string;
}
