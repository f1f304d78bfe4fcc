<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        ${msg("trialExpired.title")}
    <#elseif section = "form">
        <div id="trial-expired" class="${properties.kcFormClass!}">
            <#if trialEndedAt??>
                <p>${msg("trialExpired.since", trialEndedAt)}</p>
            </#if>
            <p>${msg("trialExpired.text")}</p>
            <#if trialContactUrl??>
                <a id="trial-button" href="${trialContactUrl}" class="${properties.kcButtonClass!} ${properties.kcButtonPrimaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialExpired.contact")}</a>
            </#if>
            <p><a id="trial-restart" href="${url.loginRestartFlowUrl}">${msg("trialExpired.otherAccount")}</a></p>
        </div>
    </#if>
</@layout.registrationLayout>
