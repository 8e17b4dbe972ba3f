"use strict";

// Listings and diffs bring their colors for both themes, and ask JupyterLab's attribute which.
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function follow() {
  const theme = document.body.dataset.theme;
  const isDark = theme === "dark" || (theme !== "light" && dark.matches);
  document.body.dataset.jpThemeLight = String(!isDark);
}

document.addEventListener("DOMContentLoaded", () => {
  follow();
  dark.addEventListener("change", follow);
  new MutationObserver(follow).observe(document.body, { attributeFilter: ["data-theme"] });
});
