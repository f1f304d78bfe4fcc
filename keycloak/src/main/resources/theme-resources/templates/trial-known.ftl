<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        ${msg("trialKnown.title")}
    <#elseif section = "form">
        <form id="trial-known" class="${properties.kcFormClass!}" action="${url.loginAction}" method="post">
            <p>${msg("trialKnown.text", trialInvited)}</p>
            <input type="hidden" name="address" value="${trialInvited}"/>
            <button id="trial-sign-in" type="submit" name="decision" value="sign-in" class="${properties.kcButtonClass!} ${properties.kcButtonPrimaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialKnown.signIn")}</button>
        </form>
    </#if>
</@layout.registrationLayout>
