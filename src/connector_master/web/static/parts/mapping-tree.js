// data-tree: the payload as a tree. Typing finds in it, arrow keys move, and what feeds what is marked after each change.
// Thousands of fields are usual: the rows are read once, and a key press touches only those that change.
let rows = [];
let current = null;

function read() {
  const tree = document.querySelector("[data-tree]");
  if (!tree || tree === read.tree) return;
  read.tree = tree;
  rows = Array.from(tree.querySelectorAll("[data-leaf]"), (button) => {
    const item = button.parentElement;
    return { button, item, twigs: twigsOf(item), text: `${button.value.slice(5)} ${button.textContent}`.toLowerCase(), isHidden: false };
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
  for (const twig of read.tree.querySelectorAll("details")) {
    const item = twig.parentElement;
    const isHidden = isFiltered && !open.has(twig);
    if (item.hidden !== isHidden) item.hidden = isHidden;
    // A search opens what it finds, as long as that is no flood.
    if (isFiltered && words.length && !isHidden && found <= 200 && !twig.open) twig.open = true;
  }
  read.tree.querySelector(".tree-nothing").hidden = found > 0;
  if (!current?.offsetParent) move(rows.find((row) => !row.isHidden && row.button.offsetParent)?.button);
  document.dispatchEvent(new CustomEvent("mapping:moved"));
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-tree-search], [data-tree-wasted]")) filter();
});

// ---- moving --------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const here = event.target.closest?.("[data-tree] button, [data-tree] summary");
  if (event.target.matches?.("[data-tree-search]")) {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      move(stops()[0], true);
    } else if (event.key === "Enter") event.preventDefault();
    return;
  }
  if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = stops();
  const at = all.indexOf(here);
  const twig = here.matches("summary") ? here.parentElement : null;
  const above = (twig ? twig.parentElement : here).parentElement.closest("details")?.querySelector("summary");
  const to = {
    ArrowDown: () => all[at + 1],
    ArrowUp: () => all[at - 1],
    Home: () => all[0],
    End: () => all.at(-1),
    ArrowRight: () => (twig && !twig.open ? ((twig.open = true), here) : all[at + 1]),
    ArrowLeft: () => (twig?.open ? ((twig.open = false), here) : above),
  }[event.key];
  if (!to) return;
  event.preventDefault();
  move(to(), true);
});

document.addEventListener("focusin", (event) => {
  const stop = event.target.closest?.("[data-tree] button, [data-tree] summary");
  if (stop && stop !== current) move(stop);
});

function stops() {
  return Array.from(read.tree.querySelectorAll("button, summary")).filter((one) => one.checkVisibility());
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
let isDue = false;
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
