// Keycloak's language menu loads the page anew: what was typed so far (never a password) survives it, once.
addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("kc-register-form");
    const menu = document.getElementById("login-select-toggle");
    if (!form || !menu) {
        return;
    }
    const kept = "vestibule.form";
    const fields = () => [...form.querySelectorAll("input[type=text], input[type=email], input[type=tel], textarea, select")]
        .filter((field) => field.name && !field.disabled);
    const typed = JSON.parse(sessionStorage.getItem(kept) ?? "{}");
    sessionStorage.removeItem(kept);
    fields().filter((field) => field.name in typed).forEach((field) => { field.value = typed[field.name]; });
    // Capturing: the menu's own handler leaves the page.
    menu.addEventListener("change", () => {
        sessionStorage.setItem(kept, JSON.stringify(Object.fromEntries(fields().map((field) => [field.name, field.value]))));
    }, true);
});
