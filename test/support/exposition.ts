/** One series of a scrape. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** Prometheus' text format, as far as our servers use it. */
function parseExposition(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name === '') throw new Error(`not a sample: ${line}`);
      return { name, labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, one]) => [key, one])), value: Number(value) };
    });
}

export interface Scrape {
  text: string;
  samples: Sample[];
  /** The sum of the series of a metric that carry these labels; undefined when there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** Names as `# TYPE` gives them, whether or not they have a series yet. */
  names: ReadonlyMap<string, string>;
}

export async function scrape(port: number | undefined): Promise<Scrape> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`);
  const text = await answer.text();
  const samples = parseExposition(text);
  return {
    text,
    samples,
    names: new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type])),
    sum: (name, labels = {}) => {
      const found = samples.filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value));
      return found.length === 0 ? undefined : found.reduce((total, { value }) => total + value, 0);
    },
  };
}
