import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { launchBrowser, screenshot, type TestBrowser } from '../support/browser.ts';
import { keycloakAdmin } from '../support/keycloak-admin.ts';
import { stack } from '../support/stack.ts';

const WIDTH = 1000;
const PROVIDER = 'company';

/** What docs/operating.md shows of Keycloak's admin console is there. UPDATE_SCREENSHOTS=1 takes its pictures again. */
describe('the admin console', () => {
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    await keycloakAdmin().post('/identity-provider/instances', {
      alias: PROVIDER,
      displayName: 'Company',
      providerId: 'oidc',
      firstBrokerLoginFlowAlias: 'vestibule first broker login',
      postBrokerLoginFlowAlias: 'vestibule post broker login',
      config: { clientId: 'vestibule', clientSecret: 'not used', authorizationUrl: 'https://login.example.com/authorize', tokenUrl: 'https://login.example.com/token', issuer: 'https://login.example.com' },
    });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: WIDTH, height: 640 } });
    await page.goto(`${stack().keycloak}/admin/`);
    await page.fill('#username', stack().admin.username);
    await page.fill('#password', stack().admin.password);
    await page.click('#kc-login');
    await page.getByText('Keycloak', { exact: true }).first().waitFor();
  });
  afterAll(async () => {
    await browser.close();
    await keycloakAdmin().delete(`/identity-provider/instances/${PROVIDER}`);
  });

  /** The console looks at the part after # once; so every page is opened from nothing. */
  const open = async (path: string): Promise<void> => {
    await page.goto('about:blank');
    await page.goto(`${stack().keycloak}/admin/master/console/#/${stack().realm}/${path}`);
  };
  /** Without the notice that the stack's admin is a temporary one. */
  const picture = async (name: string, height: number): Promise<void> => {
    await page.addStyleTag({ content: '[class*=c-banner] { display: none !important }' });
    await page.setViewportSize({ width: WIDTH, height });
    await screenshot(page, `admin/${name}`);
  };
  const openFlow = async (alias: string): Promise<void> => {
    await open('authentication');
    await page.getByRole('link', { name: alias, exact: true }).click();
  };

  test('flows: ours are bound', async () => {
    await open('authentication');
    for (const [alias, binding] of [
      ['vestibule browser', 'Browser flow'],
      ['vestibule registration', 'Registration flow'],
      ['vestibule direct grant', 'Direct grant flow'],
      ['vestibule reset credentials', 'Reset credentials flow'],
      ['vestibule first broker login', 'First broker login flow'],
    ]) {
      await page.getByRole('row', { name: `${alias} ${binding}` }).waitFor();
    }
    await picture('flows', 680);
  });

  test('registration flow: the invitation step stands before the form', async () => {
    await openFlow('vestibule registration');
    await page.getByText('Trial: invitation').first().waitFor();
    for (const step of ['Trial: account creation', 'Trial: password or passkey']) await page.getByText(step).waitFor();
    await picture('registration-flow', 700);
  });

  test('the gear of a step shows its settings', async () => {
    await openFlow('vestibule registration');
    await page.getByRole('row', { name: /Trial: invitation/ }).getByRole('button', { name: 'Settings' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Bridge address').waitFor();
    expect(await dialog.getByLabel('Bridge address').inputValue()).toMatch(/^http/);
    await dialog.getByText('Without an invitation', { exact: true }).waitFor();
    await picture('step-settings', 1000);
  });

  test('client policy: one for any client, with our profile', async () => {
    await open('realm-settings/client-policies/vestibule/edit-policy');
    await page.getByText('any-client').first().waitFor();
    await picture('client-policy', 880);
  });

  test('user profile: trial_stamp is for admins', async () => {
    await open('realm-settings/user-profile/attributes/trial_stamp/edit-attribute');
    for (const name of ['Who can edit?', 'Who can view?']) {
      const group = page.locator('.pf-v5-c-form__group, .pf-v6-c-form__group').filter({ hasText: name });
      await group.getByRole('checkbox', { name: 'Admin', checked: true }).waitFor();
      expect(await group.getByRole('checkbox', { name: 'User' }).isChecked()).toBe(false);
    }
    await page.getByText('Who can view?').scrollIntoViewIfNeeded();
    await picture('user-profile', 640);
  });

  test('identity provider: the post login flow is ours', async () => {
    await open(`identity-providers/oidc/${PROVIDER}/settings`);
    await page.getByText('Post login flow').first().scrollIntoViewIfNeeded();
    await page.getByText('vestibule post broker login').first().waitFor();
    await picture('identity-provider', 640);
  });
});
