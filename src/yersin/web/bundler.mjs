// Bundles styles, browser modules, fonts and icons with content hashes, and compresses them. Run by tools/bundle.py.
// Entries: <room>/browser/*.ts -> `<room>/<module>.js`; <room>/styles/*.css -> `<room>/<sheet>.css`; web's are the shell's.
import { createRequire } from "node:module";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync, renameSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [root, target] = process.argv.slice(2);
const require = createRequire(join(root, "package.json"));
const esbuild = require("esbuild");
const source = join(root, "src", "yersin");
const web = join(source, "web");
const icons = join(root, "node_modules", "lucide-static", "icons");
const out = `${target}.new`;

const entriesOf = (folder) => {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
};
const filesBelow = (folder) =>
  entriesOf(folder).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
  );
const rooms = entriesOf(source).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
const topLevel = (kind, ending) =>
  rooms.flatMap((room) =>
    entriesOf(join(source, room, kind))
      .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
      .map((entry) => [`${room}/${basename(entry.name, ending)}`, join(source, room, kind, entry.name)]),
  );

// The dark theme is written once and used twice: chosen by the person, or by the system when they chose neither.
const darkTwice = {
  name: "dark-twice",
  setup(build) {
    build.onLoad({ filter: /[\\/]dark\.css$/ }, ({ path }) => {
      const dark = readFileSync(path, "utf8");
      const auto = dark.replaceAll('[data-theme="dark"]', '[data-theme="auto"]');
      return { contents: `@media screen {\n${dark}\n}\n@media screen and (prefers-color-scheme: dark) {\n${auto}\n}`, loader: "css" };
    });
  },
};
const componentSheets = {
  name: "component-sheets",
  setup(build) {
    build.onResolve({ filter: /^components:all$/ }, () => ({ path: "all", namespace: "components" }));
    build.onLoad({ filter: /.*/, namespace: "components" }, () => ({
      contents: filesBelow(join(web, "components"))
        .filter((file) => file.endsWith(".css"))
        .sort()
        .map((file) => `@import ${JSON.stringify(file)};`)
        .join("\n"),
      loader: "css",
      resolveDir: web,
    }));
  },
};

const shared = {
  bundle: true,
  minify: true,
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
  absWorkingDir: root,
  target: ["chrome109", "firefox115", "safari16"],
  entryNames: "[dir]/[name]-[hash]",
  assetNames: "files/[name]-[hash]",
  chunkNames: "chunks/[name]-[hash]",
};

async function scripts() {
  const entryPoints = Object.fromEntries(topLevel("browser", ".ts"));
  return esbuild.build({ ...shared, entryPoints, outdir: out, format: "esm", splitting: true });
}
async function sheets() {
  const entryPoints = Object.fromEntries(topLevel("styles", ".css").filter(([name]) => !/^web\/(?!main$)/.test(name)));
  const loader = { ".woff2": "file", ".svg": "dataurl" };
  return esbuild.build({ ...shared, entryPoints, outdir: out, loader, plugins: [darkTwice, componentSheets] });
}

function sources() {
  return filesBelow(source).filter((file) => /\.(html|py|ts)$/.test(file) && !file.startsWith(target));
}
function iconNames() {
  // Either `icon("name")`, `icon_name="name"`, `icon="name"` and `icon: "name"`, or a quoted name within `icon(… if … else …)`.
  const named = /\bicon(?:_name)?(?:=|:\s*|\()\s*["']([a-z0-9-]+)["']/g;
  const within = /\bicon\(((?:[^()]|\([^()]*\))*)\)/g;
  const given = /\b(?:icon_button|menu_link|menu_post|palette_entry|link)\(((?:[^()]|\([^()]*\))*)\)/g;
  const known = new Set(entriesOf(icons).map((entry) => basename(entry.name, ".svg")));
  const names = new Set();
  const unknown = [];
  for (const file of sources()) {
    const text = readFileSync(file, "utf8");
    for (const match of text.matchAll(named)) {
      if (known.has(match[1])) names.add(match[1]);
      else unknown.push(`${relative(source, file)}: no Lucide icon is called "${match[1]}"; see https://lucide.dev/icons`);
    }
    for (const match of [...text.matchAll(within), ...text.matchAll(given)])
      for (const quoted of match[1].matchAll(/["']([a-z0-9-]+)["']/g)) if (known.has(quoted[1])) names.add(quoted[1]);
  }
  if (unknown.length > 0) console.error(unknown.join("\n"));
  return { names: [...names].sort(), unknown };
}
function sprite(found) {
  const symbols = found.names.map((name) => {
    const text = readFileSync(join(icons, `${name}.svg`), "utf8");
    const inner = text.replace(/<!--[\s\S]*?-->/g, "").replace(/^[\s\S]*?<svg[^>]*>|<\/svg>\s*$/g, "").replace(/\s+/g, " ");
    return `<symbol id="${name}" viewBox="0 0 24 24">${inner.trim()}</symbol>`;
  });
  const text = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
  const name = `sprite-${createHash("sha256").update(text).digest("hex").slice(0, 10)}.svg`;
  writeFileSync(join(out, name), text);
  return name;
}
function mark() {
  const bytes = readFileSync(join(web, "styles", "mark.svg"));
  const name = `mark-${createHash("sha256").update(bytes).digest("hex").slice(0, 10)}.svg`;
  writeFileSync(join(out, name), bytes);
  return name;
}
function messages() {
  const quoted = /(?<![\w.])_\(\s*"((?:[^"\\]|\\.)*)"/g;
  const found = sources()
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [...readFileSync(file, "utf8").matchAll(quoted)].map((match) => JSON.parse(`"${match[1]}"`)));
  return [...new Set(found)].sort();
}

function manifest(results, spriteName, found) {
  const files = { "sprite.svg": spriteName, "mark.svg": mark() };
  const imports = {};
  const plain = (path) => relative(out, join(root, path)).split(sep).join("/");
  for (const [path, output] of results.flatMap((result) => Object.entries(result.metafile.outputs))) {
    const font = /files\/(.+)-[A-Z0-9]+\.woff2$/.exec(path);
    if (font) files[`${font[1]}.woff2`] = plain(path);
    if (!output.entryPoint) continue;
    const name = plain(path).replace(/-[A-Z0-9]+(\.\w+)$/, "$1");
    files[name] = plain(path);
    imports[name] = output.imports.filter((used) => used.kind === "import-statement").map((used) => plain(used.path));
  }
  return { files, imports, messages: messages(), unknown_icons: found.unknown };
}
function compress() {
  for (const file of filesBelow(out).filter((path) => /\.(js|css|svg|json)$/.test(path))) {
    const bytes = readFileSync(file);
    if (statSync(file).size < 600 || basename(file) === "manifest.json") continue;
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const results = await Promise.all([scripts(), sheets()]);
const found = iconNames();
const named = manifest(results, sprite(found), found);
compress();
writeFileSync(join(out, "manifest.json"), JSON.stringify(named, null, 1));
rmSync(target, { recursive: true, force: true });
renameSync(out, target);
