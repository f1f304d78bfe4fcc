/** A server-sent event; `comment` where there was nothing but one. */
export interface HeardEvent {
  event: string;
  data: string;
}

/** The events that are whole with each piece of a stream, as its text comes. Of the format what the bridge writes: LF, one `data` line. */
export function eventReader(): (text: string) => HeardEvent[] {
  let rest = '';
  return (text) => {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.map((block) => {
      const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trimStart()]));
      return { event: fields.has('') ? 'comment' : (fields.get('event') ?? 'message'), data: fields.get('data') ?? '' };
    });
  };
}
