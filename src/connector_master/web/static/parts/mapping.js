// The mapping bench: finding in the payload's tree, choosing where a field belongs, and the lines between.
import "./mapping-tree.js";
import "./mapping-choose.js";
import "./mapping-lines.js";
