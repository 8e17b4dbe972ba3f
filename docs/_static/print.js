"use strict";

// On paper nothing can be clicked: hints, solutions and answers are open there.
let closed = [];

window.addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((one) => { one.open = true; });
});
window.addEventListener("afterprint", () => {
  closed.forEach((one) => { one.open = false; });
});
