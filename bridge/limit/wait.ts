const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3_600;

/** 95 → "1 minute and 35 seconds"; from an hour on in full minutes: 5,401 → "1 hour and 31 minutes". */
export function inWords(seconds: number): string {
  if (seconds >= HOUR_SECONDS) {
    const minutes = Math.ceil(seconds / MINUTE_SECONDS);
    return joined([counted(Math.floor(minutes / 60), 'hour'), minutes % 60 > 0 ? counted(minutes % 60, 'minute') : '']);
  }
  const minutes = Math.floor(seconds / MINUTE_SECONDS);
  const rest = seconds % MINUTE_SECONDS;
  return joined([minutes > 0 ? counted(minutes, 'minute') : '', rest > 0 || minutes === 0 ? counted(rest, 'second') : '']);
}

function joined(parts: readonly string[]): string {
  return parts.filter(Boolean).join(' and ');
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
