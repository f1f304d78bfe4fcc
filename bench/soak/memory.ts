/** Resident bytes of a process, by its own metrics. */
export async function residentBytes(metricsUrl: string): Promise<number | undefined> {
  const text = await fetch(metricsUrl)
    .then((answer) => answer.text())
    .catch(() => '');
  const [, bytes] = /^process_resident_memory_bytes (\S+)$/m.exec(text) ?? [];
  return bytes === undefined ? undefined : Number(bytes);
}

export interface Sample {
  minute: number;
  megabytes: number;
}

/** Least squares: how many MB a minute. */
export function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  const [minute, megabytes] = [mean((one) => one.minute), mean((one) => one.megabytes)];
  const spread = samples.reduce((sum, one) => sum + (one.minute - minute) ** 2, 0);
  return spread === 0 ? 0 : samples.reduce((sum, one) => sum + (one.minute - minute) * (one.megabytes - megabytes), 0) / spread;
}
