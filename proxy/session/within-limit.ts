/** Of what Postgres is asked; throws when it does not answer in time. What was asked goes on. */
export function withinLimit<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`Postgres did not answer within ${milliseconds} ms`)), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(limit));
  });
}
