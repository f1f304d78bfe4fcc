const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' }, sourceMaps: 'inline' }],
  },
  modulePathIgnorePatterns: ['<rootDir>/.run', '<rootDir>/keycloak/target'],
};

/** `fast` needs Postgres only; `stack` needs the whole stack, Keycloak and Chromium; `faults` has a stack of its own and breaks it. @type {import('jest').Config} */
export default {
  projects: [
    {
      ...common,
      displayName: 'fast',
      testMatch: ['<rootDir>/test/*.test.ts', '<rootDir>/test/{bridge,proxy,platform,dev,self-hosted}/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/setup/fast.mjs',
      globalTeardown: '<rootDir>/test/support/setup/fast-teardown.mjs',
    },
    {
      ...common,
      displayName: 'stack',
      testMatch: ['<rootDir>/test/{keycloak,journey}/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/setup/stack.mjs',
      globalTeardown: '<rootDir>/test/support/setup/stack-teardown.mjs',
    },
    {
      ...common,
      displayName: 'faults',
      testMatch: ['<rootDir>/test/faults/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/setup/faults.mjs',
      globalTeardown: '<rootDir>/test/support/setup/faults-teardown.mjs',
    },
  ],
  testTimeout: 60_000,
};
