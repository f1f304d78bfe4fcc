<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        ${msg("trialRefused." + trialReason + ".title")}
    <#elseif section = "form">
        <div id="trial-refused" class="${properties.kcFormClass!}" data-reason="${trialReason}">
            <p>${msg("trialRefused." + trialReason + ".text")}</p>
            <#if trialButtonUrl??>
                <a id="trial-button" href="${trialButtonUrl}" class="${properties.kcButtonClass!} ${properties.kcButtonPrimaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg(trialButtonKey)}</a>
            </#if>
        </div>
    </#if>
</@layout.registrationLayout>
