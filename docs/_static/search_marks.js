"use strict";

// Who comes from the search finds the word marked in the page, by Sphinx's sphinx_highlight.js.
// In a drawing that goes wrong: it asks the parent of each text for its box, and a <desc> has
// none; and of a turned text it marks the place where the text would stand if it were not turned.
// It passes by a text whose parent has this class.
for (const one of document.querySelectorAll("svg, svg *")) {
  one.classList.add("nohighlight");
}
