// Keycloak's language menu loads the page anew: what was typed so far (never a password) survives it, once.
addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("kc-register-form");
    const menu = document.getElementById("login-select-toggle");
    if (!form || !menu) {
        return;
    }
    const kept = "vestibule.form";
    const fields = () => [...form.querySelectorAll("input[type=text], input[type=email], input[type=tel], input[type=checkbox], textarea, select")]
        .filter((field) => field.id && !field.disabled);
    const typed = JSON.parse(sessionStorage.getItem(kept) ?? "{}");
    sessionStorage.removeItem(kept);
    fields().filter((field) => field.id in typed).forEach((field) => {
        if (field.type === "checkbox") {
            field.checked = typed[field.id];
        } else {
            field.value = typed[field.id];
        }
    });
    // Capturing: the menu's own handler leaves the page.
    menu.addEventListener("change", () => {
        sessionStorage.setItem(kept, JSON.stringify(Object.fromEntries(fields().map((field) => [field.id, field.type === "checkbox" ? field.checked : field.value]))));
    }, true);
});
