<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        ${msg("trialPasskeyPage.title")}
    <#elseif section = "form">
        <form id="trial-passkey-form" class="${properties.kcFormClass!}" action="${url.loginAction}" method="post"
              data-challenge="${challenge}" data-user-id="${userid}" data-username="${username}"
              data-rp-id="${rpId}" data-rp-name="${rpEntityName}" data-algorithms="<#list signatureAlgorithms as algorithm>${algorithm?c} </#list>"
              data-attestation="${attestationConveyancePreference}" data-attachment="${authenticatorAttachment}"
              data-resident-key="${residentKey!''}" data-require-resident-key="${requireResidentKey}"
              data-user-verification="${userVerificationRequirement}" data-timeout-seconds="${createTimeout?c}">
            <p>${msg("trialPasskeyPage.text", trialInvited)}</p>
            <p id="trial-passkey-problem" role="alert" hidden>${msg("trialPasskeyPage.problem")}</p>
            <noscript><p>${msg("trialPasskeyPage.noScript")}</p></noscript>
            <#list trialKept as field>
                <input type="hidden" name="${field.name}" value="${field.value}"/>
            </#list>
            <input type="hidden" name="trial-passkey" value="create"/>
            <input type="hidden" name="clientDataJSON"/>
            <input type="hidden" name="attestationObject"/>
            <input type="hidden" name="publicKeyCredentialId"/>
            <input type="hidden" name="transports"/>
            <input type="hidden" name="authenticatorAttachment"/>
            <input type="hidden" name="authenticatorLabel" value="${msg("trialPasskeyPage.label")}"/>
            <button id="trial-passkey-make" type="button" class="${properties.kcButtonClass!} ${properties.kcButtonPrimaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialPasskeyPage.make")}</button>
            <button id="trial-passkey-not" type="submit" name="decision" value="password" class="${properties.kcButtonClass!} ${properties.kcButtonSecondaryClass!} ${properties.kcButtonBlockClass!} ${properties.kcButtonLargeClass!}">${msg("trialPasskeyPage.password")}</button>
        </form>
    </#if>
</@layout.registrationLayout>
