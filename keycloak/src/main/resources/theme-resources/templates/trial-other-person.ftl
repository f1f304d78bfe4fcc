<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        ${msg("trialOtherPerson.title")}
    <#elseif section = "form">
        <form id="trial-other-person" class="${properties.kcFormClass!}" action="${url.loginAction}" method="post">
            <p>${msg("trialOtherPerson.signedIn", trialSignedIn)}</p>
            <p>${msg("trialOtherPerson.invited", trialInvited)}</p>
            <button id="trial-go-on" type="submit" name="decision" value="go-on" class="${properties.kcButtonClass!} ${properties.kcButtonPrimaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialOtherPerson.goOn", trialInvited)}</button>
            <button id="trial-stay" type="submit" name="decision" value="stay" class="${properties.kcButtonClass!} ${properties.kcButtonSecondaryClass!properties.kcButtonDefaultClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialOtherPerson.stay", trialSignedIn)}</button>
        </form>
    </#if>
</@layout.registrationLayout>
