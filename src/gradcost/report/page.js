"use strict";
// A ledger of claims is filtered by verdict and by words; `#ledger?verdict=contradicted&words=memory`
// in the address does the same. Without this script all claims are shown.
const settings = () => {
  const [id, query] = decodeURIComponent(location.hash.slice(1)).split("?");
  return [id, new URLSearchParams(query)];
};

for (const table of document.querySelectorAll("table.ledger")) {
  const rows = [...table.querySelectorAll("tr[data-verdict]")];
  const verdicts = ["supported", "contradicted", "inconclusive", "not tested"];
  const chosen = new Set();
  const form = document.createElement("form");
  form.className = "filter";
  form.setAttribute("role", "search");
  const words = document.createElement("input");
  words.type = "search";
  words.placeholder = "words, such as memory";
  words.setAttribute("aria-label", "Show claims with these words");
  const count = document.createElement("output");

  const buttons = verdicts.map((verdict) => {
    const button = document.createElement("button");
    const number = rows.filter((row) => row.dataset.verdict === verdict).length;
    button.type = "button";
    button.textContent = `${verdict} (${number})`;
    button.disabled = number === 0;
    button.dataset.choose = verdict;
    button.addEventListener("click", () => {
      if (!chosen.delete(verdict)) chosen.add(verdict);
      show();
    });
    return button;
  });

  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase().replaceAll("\u200b", "");
      const fits = (chosen.size === 0 || chosen.has(row.dataset.verdict))
        && wanted.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    // the title of a group is shown with any claim of it
    let title = null;
    for (const row of table.querySelectorAll("tbody tr")) {
      if (row.classList.contains("group")) {
        title = row;
        title.hidden = true;
      } else if (title && !row.hidden) {
        title.hidden = false;
      }
    }
    for (const button of buttons) button.setAttribute("aria-pressed", chosen.has(button.dataset.choose));
    count.textContent = shown === rows.length ? `${shown} claims` : `${shown} of ${rows.length} claims`;
  };

  const read = () => {
    const [id, asked] = settings();
    if (id !== table.id || ![...asked].length) return;
    chosen.clear();
    for (const verdict of (asked.get("verdict") ?? "").split(",")) {
      if (verdicts.includes(verdict)) chosen.add(verdict);
    }
    words.value = asked.get("words") ?? "";
    show();
    form.scrollIntoView();
  };

  words.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.append(...buttons, words, count);
  table.parentElement.before(form);
  show();
  read();
  addEventListener("hashchange", read);
}

// The sidebar says where one is; on a small screen it is closed until asked for.
const sidebar = document.querySelector("nav > details");
const small = matchMedia("(max-width: 60rem)");
const fold = () => { sidebar.open = !small.matches; };
small.addEventListener("change", fold);
fold();
const links = new Map([...document.querySelectorAll(".sections a")].map((a) => [a.hash.slice(1), a]));
const headings = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
const mark = () => {
  const above = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 3);
  for (const link of links.values()) link.removeAttribute("aria-current");
  if (above.length) links.get(above.at(-1).id).setAttribute("aria-current", "true");
};
addEventListener("scroll", mark, { passive: true });
mark();
document.querySelector("nav").addEventListener("click", (event) => {
  if (small.matches && event.target.closest("a")) sidebar.open = false;
});
for (const part of document.querySelectorAll("main :is(h2, h3)[id]")) {
  const anchor = document.createElement("a");
  anchor.className = "anchor";
  anchor.href = `#${part.id}`;
  anchor.textContent = "#";
  anchor.setAttribute("aria-label", "Link to this section");
  part.append(anchor);
}
