// A lost connection is said, and taken back when it is there again; what polls goes on by itself.
const bar = document.getElementById("offline");

function say(isLost) {
  bar.hidden = !isLost;
}

document.addEventListener("htmx:sendError", () => say(true));
document.addEventListener("htmx:timeout", () => say(true));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr?.status > 0) say(false);
});
addEventListener("offline", () => say(true));
addEventListener("online", () => say(false));
