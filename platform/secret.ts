import { inspect } from 'node:util';

/** A configured secret: prints as `[secret]` wherever it is logged, joined or serialised. */
export interface Secret {
  reveal(): string;
}

function masked(): string {
  return '[secret]';
}

export function secret(value: string): Secret {
  return Object.freeze({ reveal: () => value, toString: masked, toJSON: masked, [inspect.custom]: masked });
}
