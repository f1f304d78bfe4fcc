import common from '../../jest.config.js';

const { globalSetup: _, globalTeardown: __, ...stack } = common.projects.find(({ displayName }) => displayName === 'stack');

/** Without a setup: dev/matrix.ts starts a stack per Keycloak version and names it in VESTIBULE_STACK. @type {import('jest').Config} */
export default { ...stack, rootDir: '../..', displayName: 'matrix', testMatch: ['<rootDir>/test/matrix/*.test.ts'], testTimeout: common.testTimeout };
