import { mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { STACK_VARIABLE } from '../../support/stack-variable.ts';

/** Says what Keycloak's own page says, in words and markup of its own; what else there is comes from the parent. */
const REGISTER = `<#import "template.ftl" as layout>
<#import "user-profile-commons.ftl" as fields>
<#import "register-commons.ftl" as commons>
<@layout.registrationLayout displayMessage=messagesPerField.exists('global'); section>
  <#if section = "header">Join the Difference Club
  <#elseif section = "form">
    <form id="kc-register-form" class="difference-club" action="\${url.registrationAction}" method="post">
      <@fields.userProfileFormFields; callback, attribute>
        <#if callback = "afterField" && passwordRequired?? && attribute.name == "email">
          <input type="password" name="password" /><input type="password" name="password-confirm" />
        </#if>
      </@fields.userProfileFormFields>
      <@commons.termsAcceptance/>
      <#if recaptchaRequired??><div class="g-recaptcha" data-sitekey="\${recaptchaSiteKey}"></div></#if>
      <button type="submit">Join</button>
    </form>
  </#if>
</@layout.registrationLayout>
`;

/** In words that only this theme has. */
export const THEME_MARKS = ['Join the Difference Club', 'class="difference-club"'];

/** Puts a login theme with a registration page of its own before the stack's Keycloak, which shares its folder with other stacks. Answers how to take it away. */
export function addLoginTheme(name: string): () => void {
  const themes = join(dirname(process.env[STACK_VARIABLE] ?? ''), 'keycloak', 'themes');
  const shared = readlinkSync(themes);
  const login = join(themes, name, 'login');
  rmSync(themes);
  mkdirSync(login, { recursive: true });
  writeFileSync(join(login, 'theme.properties'), 'parent=keycloak\nimport=common/keycloak\n');
  writeFileSync(join(login, 'register.ftl'), REGISTER);
  return () => {
    rmSync(themes, { recursive: true });
    symlinkSync(shared, themes);
  };
}
