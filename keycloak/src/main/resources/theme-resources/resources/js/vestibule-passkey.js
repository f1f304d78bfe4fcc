// A passkey instead of a password. On the form: whoever chooses it is not asked for a password. On the page after it: it is made.
const vestibulePasskey = {
    read(base64url) {
        return Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
    },
    written(bytes) {
        return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    },
    said(value) {
        return value && value !== "not specified" ? value : undefined;
    },

    /** What the theme puts around a field: its label, its hint and the field itself. */
    around(field) {
        let part = field;
        while (part.parentElement.tagName !== "FORM" && part.parentElement.querySelectorAll("input:not([type=hidden])").length === 1) {
            part = part.parentElement;
        }
        return part;
    },

    offer(box) {
        if (!window.PublicKeyCredential) {
            box.checked = false;
            vestibulePasskey.around(box).hidden = true;
            return;
        }
        const passwords = ["password", "password-confirm"].map((id) => document.getElementById(id)).filter(Boolean);
        const show = () => passwords.forEach((field) => {
            vestibulePasskey.around(field).hidden = box.checked;
            field.disabled = box.checked;
        });
        box.addEventListener("change", show);
        show();
    },

    /** As Keycloak's own page makes them of the realm's policy; a sign-in that asks for no name needs a key that knows it. */
    options(policy) {
        const residentKey = vestibulePasskey.said(policy.residentKey) ?? {Yes: "required", No: "discouraged"}[policy.requireResidentKey] ?? "preferred";
        const timeout = Number(policy.timeoutSeconds) * 1000;
        return {
            challenge: vestibulePasskey.read(policy.challenge),
            rp: {id: policy.rpId, name: policy.rpName},
            user: {id: vestibulePasskey.read(policy.userId), name: policy.username, displayName: policy.username},
            pubKeyCredParams: (policy.algorithms.trim() || "-7").split(/\s+/).map((alg) => ({type: "public-key", alg: Number(alg)})),
            attestation: vestibulePasskey.said(policy.attestation),
            authenticatorSelection: {
                authenticatorAttachment: vestibulePasskey.said(policy.attachment),
                residentKey,
                requireResidentKey: residentKey === "required",
                userVerification: vestibulePasskey.said(policy.userVerification),
            },
            ...(timeout > 0 ? {timeout} : {}),
        };
    },

    async make(form) {
        const button = document.getElementById("trial-passkey-make");
        const problem = document.getElementById("trial-passkey-problem");
        button.disabled = true;
        problem.hidden = true;
        try {
            const made = await navigator.credentials.create({publicKey: vestibulePasskey.options(form.dataset)});
            form.elements.clientDataJSON.value = vestibulePasskey.written(made.response.clientDataJSON);
            form.elements.attestationObject.value = vestibulePasskey.written(made.response.attestationObject);
            form.elements.publicKeyCredentialId.value = vestibulePasskey.written(made.rawId);
            form.elements.transports.value = made.response.getTransports?.().join() ?? "";
            form.elements.authenticatorAttachment.value = made.authenticatorAttachment ?? "";
            form.submit();
        } catch {
            button.disabled = false;
            problem.hidden = false;
        }
    },

    keep(form) {
        const fields = [...new FormData(form)].flatMap(([name, value]) => [[name, value], [`${name}-${value}`, true]]);
        sessionStorage.setItem("vestibule.form", JSON.stringify(Object.fromEntries(fields)));
    },
};

addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("trial-passkey-create");
    const page = document.getElementById("trial-passkey-form");
    if (choice) {
        vestibulePasskey.offer(choice);
    }
    if (page) {
        document.getElementById("trial-passkey-make").addEventListener("click", () => vestibulePasskey.make(page));
        // Keycloak's language menu leads back to the form: vestibule-keep-input.js fills it in there.
        document.getElementById("login-select-toggle")?.addEventListener("change", () => vestibulePasskey.keep(page), true);
    }
});
