// Shortcuts: "/" to search, "?" for the list, and the two keys that a link names in data-keys.
let first = "";
let forget = 0;

function isTyping(target) {
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (event.key === "?") {
    document.getElementById("keys")?.showModal();
  } else if (first) {
    document.querySelector(`[data-keys="${first} ${CSS.escape(event.key)}"]`)?.click();
    first = "";
  } else if (event.key === "g") {
    first = "g";
    clearTimeout(forget);
    forget = setTimeout(() => (first = ""), 1500);
  }
});
