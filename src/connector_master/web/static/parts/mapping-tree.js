// data-tree: the payload as a tree. Typing finds in it, arrow keys move, and what feeds what is marked after each change.
// Thousands of fields are usual: the rows are read once, and a key press touches only those that change.
const FLOOD = 200;
let tree = null;
let rows = [];
let current = null;
let isDue = false;

function read() {
  const found = document.querySelector("[data-tree]");
  if (!found || found === tree) return;
  tree = found;
  rows = Array.from(tree.querySelectorAll("[data-leaf]"), (button) => {
    const item = button.parentElement;
    const text = `${button.value.slice("pick:".length)} ${button.textContent}`.toLowerCase();
    return { button, item, twigs: twigsOf(item), text, isHidden: false };
  });
  // One stop for Tab; arrow keys do the rest.
  for (const stop of tree.querySelectorAll("button, summary")) stop.tabIndex = -1;
  move(rows.find((row) => row.button.offsetParent)?.button ?? tree.querySelector("summary"));
}

function twigsOf(item) {
  const twigs = [];
  for (let twig = item.parentElement.closest("details"); twig; twig = twig.parentElement.closest("details")) twigs.push(twig);
  return twigs;
}

function move(to, takesFocus = false) {
  if (!to) return;
  if (current) current.tabIndex = -1;
  current = to;
  current.tabIndex = 0;
  if (takesFocus) current.focus();
}

// ---- finding -------------------------------------------------------------------------------------------

function filter() {
  const words = document.querySelector("[data-tree-search]").value.toLowerCase().split(/\s+/).filter(Boolean);
  const onlyWasted = document.querySelector("[data-tree-wasted]").checked;
  const isFiltered = words.length > 0 || onlyWasted;
  const open = new Set();
  let found = 0;
  for (const row of rows) {
    const fits = (!onlyWasted || "wasted" in row.button.dataset) && words.every((word) => row.text.includes(word));
    if (fits) {
      found += 1;
      for (const twig of row.twigs) open.add(twig);
    }
    if (row.isHidden === fits) {
      row.isHidden = !fits;
      row.item.hidden = !fits;
    }
  }
  for (const twig of tree.querySelectorAll("details")) {
    const item = twig.parentElement;
    const isHidden = isFiltered && !open.has(twig);
    if (item.hidden !== isHidden) item.hidden = isHidden;
    if (words.length && !isHidden && found <= FLOOD && !twig.open) twig.open = true;
  }
  tree.querySelector(".tree-nothing").hidden = found > 0;
  if (!current?.offsetParent) move(rows.find((row) => !row.isHidden && row.button.offsetParent)?.button);
  document.dispatchEvent(new CustomEvent("mapping:moved"));
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-tree-search], [data-tree-wasted]")) filter();
});

// ---- moving --------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("[data-tree-search]")) {
    if (event.key === "ArrowDown") move(stops()[0], true);
    // Enter would send the form.
    if (event.key === "ArrowDown" || event.key === "Enter") event.preventDefault();
    return;
  }
  const here = event.target.closest?.("[data-tree] button, [data-tree] summary");
  if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
  const to = next(here, event.key);
  if (to === undefined) return;
  event.preventDefault();
  move(to, true);
});

// Returns where a key leads from `here`: null where there is nothing more, undefined for keys that lead nowhere.
function next(here, key) {
  const all = stops();
  const at = all.indexOf(here);
  const twig = here.matches("summary") ? here.parentElement : null;
  if (twig && key === (twig.open ? "ArrowLeft" : "ArrowRight")) {
    twig.open = !twig.open;
    return here;
  }
  const above = (twig ?? here).parentElement.closest("details")?.querySelector("summary");
  const places = { ArrowDown: all[at + 1], ArrowUp: all[at - 1], Home: all[0], End: all.at(-1), ArrowRight: all[at + 1], ArrowLeft: above };
  return key in places ? (places[key] ?? null) : undefined;
}

document.addEventListener("focusin", (event) => {
  const stop = event.target.closest?.("[data-tree] button, [data-tree] summary");
  if (stop && stop !== current) move(stop);
});

function stops() {
  return Array.from(tree.querySelectorAll("button, summary")).filter((one) => one.checkVisibility());
}

// ---- marking -------------------------------------------------------------------------------------------

function mark() {
  const summary = document.getElementById("summary");
  if (!summary) return;
  const feeds = JSON.parse(summary.dataset.marks);
  const names = new Map(Array.from(document.querySelectorAll(".target"), (one) => [one.dataset.target, one.dataset.words]));
  for (const { button } of rows) {
    const targets = feeds[button.dataset.leaf];
    if (targets) {
      delete button.dataset.wasted;
      delete button.dataset.empty;
      button.dataset.feeds = JSON.stringify(targets);
      const said = button.querySelector(".leaf-to") ?? button.appendChild(sayer());
      said.textContent = targets.map((target) => names.get(target) ?? target).join(", ");
    } else if ("feeds" in button.dataset) {
      delete button.dataset.feeds;
      button.dataset[button.querySelector(".leaf-value").textContent.trim() ? "wasted" : "empty"] = "";
      button.querySelector(".leaf-to").remove();
    }
  }
  const count = document.querySelector("[data-tree-count]");
  if (count) count.textContent = Number(summary.dataset.wasted).toLocaleString(document.documentElement.lang);
  document.dispatchEvent(new CustomEvent("mapping:moved"));
}

function sayer() {
  return Object.assign(document.createElement("span"), { className: "leaf-to" });
}

// An answer may come in many pieces: one look at all of them is enough.
document.addEventListener("htmx:afterSettle", () => {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    read();
    mark();
  });
});
read();
