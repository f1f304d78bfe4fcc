<#import "template.ftl" as layout>
<#import "user-profile-commons.ftl" as userProfileCommons>
<@layout.registrationLayout displayMessage=messagesPerField.exists('global') displayRequiredFields=true; section>
    <#if section = "header">
        ${msg("trialFromProvider.title")}
    <#elseif section = "form">
        <form id="trial-from-provider" class="${properties.kcFormClass!}" action="${url.loginAction}" method="post" novalidate="novalidate">
            <p>${msg("trialFromProvider.text", trialProvider)}</p>
            <@userProfileCommons.userProfileFormFields; callback, attribute></@userProfileCommons.userProfileFormFields>
            <button id="trial-create" type="submit" class="${properties.kcButtonClass!} ${properties.kcButtonPrimaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialFromProvider.create")}</button>
            <p><a id="trial-restart" href="${url.loginRestartFlowUrl}">${msg("trialFromProvider.otherWay")}</a></p>
        </form>
    </#if>
</@layout.registrationLayout>
