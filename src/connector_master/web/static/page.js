// What every page does beyond reading and forms. Each part binds to data- attributes, at the document, so that pieces
// that htmx puts in place later work as well. Without script all of it has another way.
import "./parts/copy.js";
import "./parts/filters.js";
import "./parts/confirm.js";
import "./parts/keys.js";
import "./parts/menu.js";
import "./parts/offline.js";
import "./parts/submit.js";
import "./parts/times.js";
import "./parts/zone.js";
