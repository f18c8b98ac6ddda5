"use strict";
// Additions only: without this script every number can be read, in the order of the report.
(() => {
  const value = (row, column) => row.cells[column].dataset.order;

  const compare = (column, way) => (a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    // Cells without a number stay at the end in both directions.
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    const [p, q] = [Number(x), Number(y)];
    return way * (Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q);
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.tBodies[0];
    if (body.rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      // A link must not be inside a button, so footnotes stay outside.
      button.append(...[...head.childNodes].filter((node) => !node.classList?.contains("note")));
      head.prepend(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        // The first click puts the largest number first, but names in the order of the alphabet.
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const other = first === "descending" ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        for (const cell of table.tHead.rows[0].cells) cell.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", order);
        body.append(...[...body.rows].sort(compare(column, order === "ascending" ? 1 : -1)));
      });
    });
  }

  // A footnote as a tooltip. It is hidden from screen readers, which read the label of the link.
  const bubble = document.createElement("div");
  bubble.className = "bubble";
  bubble.hidden = true;
  bubble.setAttribute("aria-hidden", "true");
  document.body.append(bubble);
  let about = null;
  const show = (link) => {
    about = link;
    bubble.textContent = link.dataset.tip;
    bubble.hidden = false;
    const place = link.getBoundingClientRect();
    const left = Math.min(place.left, document.documentElement.clientWidth - bubble.offsetWidth - 8);
    const below = place.bottom + bubble.offsetHeight + 8 < window.innerHeight;
    bubble.style.left = `${Math.max(8, left)}px`;
    bubble.style.top = `${below ? place.bottom + 4 : place.top - bubble.offsetHeight - 4}px`;
  };
  const hide = () => {
    about = null;
    bubble.hidden = true;
  };
  for (const link of document.querySelectorAll("[data-tip]")) {
    link.addEventListener("mouseenter", () => show(link));
    link.addEventListener("focus", () => show(link));
    link.addEventListener("mouseleave", hide);
    link.addEventListener("blur", hide);
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", () => { if (about) show(about); }, true);
})();
