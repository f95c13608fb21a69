// Relative times (time[data-ago]) stay true while a page is open; the words are the browser's own, in the page's language.
const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const units = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

function refresh() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const unit = units.find(([, size]) => Math.abs(seconds) >= size);
    if (unit && Math.abs(seconds) < 86400 * 7) time.textContent = words.format(Math.round(seconds / unit[1]), unit[0]);
  }
}

setInterval(refresh, 20_000);
