// Jest would turn TypeScript into CommonJS here; Node itself does not.
export { default } from './faults.ts';
