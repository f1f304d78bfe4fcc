const TICK_MS = 1000;
/** Steps that find their work done already need one line only. */
const FIRST_WORD_AFTER_MS = 300;
/** Where the output is a file, a line now and then shows that it still goes on. */
const QUIET_LINE_EVERY_S = 10;

export interface Progress {
  /** Runs one step and shows what it does, how far it is and how long it took. */
  step<T>(title: string, usualSeconds: number, work: (note: (text: string) => void) => Promise<T>): Promise<T>;
  line(text: string): void;
}

export function terminalProgress(steps: number, output: NodeJS.WriteStream = process.stdout): Progress {
  let count = 0;
  return {
    line: (text) => output.write(`${text}\n`),
    step: async (title, usualSeconds, work) => {
      count += 1;
      const label = `[${count}/${steps}] ${title}`;
      const started = performance.now();
      const seconds = (): number => (performance.now() - started) / 1000;
      let remark = '';
      const show = output.isTTY ? (text: string) => output.write(`\r\x1b[2K${text}`) : (text: string) => output.write(`${text}\n`);
      const announce = setTimeout(() => show(usualSeconds > 2 ? `${label} … about ${usualSeconds} s` : `${label} …`), FIRST_WORD_AFTER_MS);
      const timer = setInterval(() => {
        const past = Math.round(seconds());
        const usual = past > usualSeconds ? `, usually ${usualSeconds} s` : ` of about ${usualSeconds} s`;
        if (output.isTTY || past % QUIET_LINE_EVERY_S === 0) show(`${label} … ${past} s${usual}`);
      }, TICK_MS);
      try {
        const result = await work((text) => {
          remark = ` (${text})`;
        });
        show(`${label}${remark}: ${seconds().toFixed(1)} s`);
        return result;
      } catch (error) {
        show(`${label}: failed after ${seconds().toFixed(1)} s`);
        throw error;
      } finally {
        clearTimeout(announce);
        clearInterval(timer);
        if (output.isTTY) output.write('\n');
      }
    },
  };
}
