/** Thrown before anything was written. The message says what to do next. */
export class Refusal extends Error {
  override name = 'Refusal';
}
