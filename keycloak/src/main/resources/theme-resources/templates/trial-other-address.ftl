<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        ${msg("trialOtherAddress.title")}
    <#elseif section = "form">
        <form id="trial-other-address" class="${properties.kcFormClass!}" action="${url.loginAction}" method="post" data-reason="${trialReason}">
            <p>${msg("trialOtherAddress.invited", trialInvited)}</p>
            <p>${msg("trialOtherAddress." + trialReason, trialTheirs!"", trialProvider)}</p>
            <p>${msg("trialOtherAddress.text", trialInvited, trialProvider)}</p>
            <button id="trial-form" type="submit" name="decision" value="form" class="${properties.kcButtonClass!} ${properties.kcButtonPrimaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialOtherAddress.form")}</button>
            <#if trialButtonUrl??>
                <p><a id="trial-button" href="${trialButtonUrl}">${msg("trialOtherAddress.newLink", trialTheirs)}</a></p>
            </#if>
        </form>
    </#if>
</@layout.registrationLayout>
